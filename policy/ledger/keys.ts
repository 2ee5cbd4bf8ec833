// Names of the ledger's keys in Redis and the partition of a subscription. The layout is for ever: Class carries the partition.
import { hash } from 'node:crypto';
import { partitionCount } from './types.ts';

/** hash(tenant, subscription) mod 64; never changes for a subscription. */
export function partitionOf(tenantId: number, subscriptionId: number): number {
  // Ids follow each other, so their last bits lie next to each other and none displaces many.
  const place = subscriptionId % places;
  if (ofSubscription[place] === subscriptionId && ofTenant[place] === tenantId) return found[place] as number;
  const partition = firstByte(`${tenantId}:${subscriptionId}`) % partitionCount;
  ofTenant[place] = tenantId;
  ofSubscription[place] = subscriptionId;
  found[place] = partition;
  return partition;
}

/** Partitions that were computed before: each login and each record asks for one, and a hash costs two microseconds. */
const places = 131_072;
const ofTenant = new Float64Array(places).fill(Number.NaN);
const ofSubscription = new Float64Array(places);
const found = new Uint8Array(places);

/** Where a session of an unknown user is kept. */
export function partitionOfSession(tenantId: number, nasInstance: string, sessionId: string): number {
  return firstByte(`${tenantId}:${nasInstance}:${sessionId}`) % partitionCount;
}

/** `{p07}`: the hash tag that keeps a partition in one slot of a Redis Cluster. */
export function tag(partition: number): string {
  return tags[partition] ?? tagOf(partition);
}

function tagOf(partition: number): string {
  return `{p${String(partition).padStart(2, '0')}}`;
}

const tags = Array.from({ length: partitionCount }, (_, partition) => tagOf(partition));

export const keys = {
  /** hash: WAL id → applied position; `:written` → bytes ever written to the outbox (outbox.ts) */
  lanes: (partition: number) => `lane:${tag(partition)}`,
  /** hash: current incarnation of a session */
  session: (partition: number, tenantId: number, nasInstance: string, sessionId: string) =>
    `ses:${tag(partition)}:${tenantId}:${escaped(nasInstance)}:${sessionId}`,
  /** hash: counters of a subscription */
  usage: (partition: number, tenantId: number, subscriptionId: number) =>
    `use:${tag(partition)}:${tenantId}:${subscriptionId}`,
  /** set: session keys of a subscription that are open */
  subscriptionSessions: (partition: number, tenantId: number, subscriptionId: number) =>
    `subses:${tag(partition)}:${tenantId}:${subscriptionId}`,
  /** zset: open session keys by last event */
  live: (partition: number) => `live:${tag(partition)}`,
  /** hash: tenant → how many sessions are open */
  online: (partition: number) => `online:${tag(partition)}`,
  /** open session keys of one NAS instance by last event */
  liveOfNas: (partition: number, nasInstance: string) => `livenas:${tag(partition)}:${nasInstance}`,
  /** hash: NAS instance → its newest boot instants */
  boots: (partition: number) => `boot:${tag(partition)}`,
  /** stream: the outbox, one entry of every record that was applied */
  accounted: (partition: number) => `acct:${tag(partition)}`,
  /** hash: node → instant of the oldest row that waits on its disk for ClickHouse (history-lag.ts) */
  outboxWaiting: 'outbox:waiting',
  /** zset: nodes that ship the outbox, by the instant until which they said so */
  shippers: 'outbox:shippers',
  /** text: the node that ships a partition (shippers.ts) */
  shipperOf: (partition: number) => `shipper:${tag(partition)}`,
  /** stream: records that were not counted, whole, with the reason */
  quarantine: (partition: number) => `quarantine:${tag(partition)}`,
  /** zset: `<tenant>:<subscription>` by the instant its outcome may change */
  wheel: (partition: number) => `wheel:${tag(partition)}`,
  /** stream: who crossed a threshold */
  enforce: (partition: number) => `enforce:${tag(partition)}`,
  /** stream: what else enforcement looks at soon: sessions that opened, or that kept a login out */
  opened: (partition: number) => `opened:${tag(partition)}`,
  /** stream: who held which addresses when (addresses.ts) */
  addresses: (partition: number) => `address:${tag(partition)}`,
  /** stream: every decided profile */
  profile: (partition: number) => `profile:${tag(partition)}`,
  /** hash: subscription → text of its last decided profile (profile.ts) */
  lastProfiles: (partition: number, tenantId: number) => `prof:${tag(partition)}:${tenantId}`,
  /** hash: subscription → `<mac>=<last seen>,…` of the devices learned (lua/login.lua) */
  macs: (partition: number, tenantId: number) => `macs:${tag(partition)}:${tenantId}`,
  /** hash of a pool's counts; its other keys begin with this one (lua/leases.lua) */
  pool: (poolId: number) => `{pool:${poolId}}`,
  /** hash: partition and subscription of a running session, for records without Class */
  directory: (nasInstance: string, sessionId: string) => `{sid:${sessionHash(nasInstance, sessionId)}}`,
  /** zset: newest boot instants of a NAS instance */
  nas: (nasInstance: string) => `{nas:${escaped(nasInstance)}}`,
  /** stream: the newest enforcement actions, to be looked at */
  actions: (tenantId: number) => `{actions:${tenantId}}`,
  brake: (tenantId: number) => `{brake:${tenantId}}`,
  /** hash: pace of a move away from an access server; `:told` → whom it told (moves.ts) */
  move: (moveId: number) => `{move:${moveId}}`,
} as const;

/** A NAS-Identifier may hold anything: without `:` and `}` no two names become one and the hash tag is whole. */
function escaped(nasInstance: string): string {
  return nasInstance.replace(/[%:}]/g, (mark) => `%${mark.charCodeAt(0).toString(16)}`);
}

function firstByte(text: string): number {
  // A string of octets costs a third of what a new Buffer does.
  return hash('sha256', text, 'binary').charCodeAt(0);
}

function sessionHash(nasInstance: string, sessionId: string): string {
  return hash('sha256', `${nasInstance}\n${sessionId}`).slice(0, 24);
}
