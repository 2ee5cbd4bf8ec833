// Reads sessions: those of a subscription, and pages through all open ones of a tenant.
import type { ChainableCommander, Cluster, Redis } from 'ioredis';
import { keys } from './keys.ts';
import { readLivePage } from './live.ts';
import { readCounters } from './state.ts';
import { type LiveSession, partitionCount } from './types.ts';

export type SessionPage = { readonly sessions: readonly LiveSession[]; readonly nextCursor: string | null };
export type SessionSearch = {
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  readonly limit: number;
  /** Part of user name, session id, an address or calling station, in any case. */
  readonly search?: string | undefined;
};

/** Where the next page begins: in ascending order of (partition, last event, key). */
type Cursor = { readonly partition: number; readonly score: string; readonly key: string };

/** What is read of a session, in this order. */
export const sessionFields = [
  'tenant',
  'sub',
  'nas',
  'inst',
  'sid',
  'inc',
  'state',
  'times',
  'totals',
  'user',
  'started',
  'src',
  'nasip',
  'port',
  'portid',
  'fip',
  'v6',
  'pd',
  'calling',
  'called',
  'loh',
  'uuid',
  'desired',
  'sent',
  'acked',
  'cause',
  'eupd',
] as const;

type SessionField = (typeof sessionFields)[number];
const placeOf = Object.fromEntries(sessionFields.map((name, place) => [name, place])) as Record<SessionField, number>;

/** So many sessions are looked at for one page; a page may then be short, or empty, with a cursor. */
const mostLookedAt = 20_000;

export async function readSessions(
  redis: Redis | Cluster,
  partition: number,
  sessionKeys: readonly string[],
): Promise<LiveSession[]> {
  if (sessionKeys.length === 0) return [];
  const pipeline: ChainableCommander = redis.pipeline();
  for (const key of sessionKeys) pipeline.hmgetBuffer(key, ...sessionFields);
  const answers = (await pipeline.exec()) ?? [];
  return answers.flatMap(([error, values]) => {
    if (error) throw error;
    return sessionOf(partition, values as readonly (Buffer | null)[]) ?? [];
  });
}

/** Open sessions of the tenant, page by page. */
export async function listSessions(
  redis: Redis | Cluster,
  tenantId: number,
  { cursor, limit, search = '' }: SessionSearch,
): Promise<SessionPage> {
  const wanted = search.toLowerCase();
  const sessions: LiveSession[] = [];
  let at: Cursor = parseCursor(cursor);
  let lookedAt = 0;
  while (at.partition < partitionCount) {
    const { members, next } = await readLivePage(redis, at.partition, at);
    lookedAt += members.length;
    const ofTenant = members.filter(({ key }) => tenantOf(key) === tenantId);
    const read = await readSessions(
      redis,
      at.partition,
      ofTenant.map(({ key }) => key),
    );
    for (const session of read) {
      if (!matches(session, wanted)) continue;
      sessions.push(session);
      if (sessions.length < limit) continue;
      const key = keys.session(session.partition, tenantId, session.nasInstance, session.sessionId);
      const member = members.find((candidate) => candidate.key === key);
      const last = { partition: at.partition, score: member?.score ?? at.score, key };
      return { sessions, nextCursor: formatCursor(last) };
    }
    at = next ? { partition: at.partition, ...next } : beginOf(at.partition + 1);
    if (lookedAt >= mostLookedAt) break;
  }
  return { sessions, nextCursor: at.partition < partitionCount ? formatCursor(at) : null };
}

function beginOf(partition: number): Cursor {
  return { partition, score: '-inf', key: '' };
}

function formatCursor({ partition, score, key }: Cursor): string {
  return Buffer.from(JSON.stringify([partition, score, key])).toString('base64url');
}

/** Anything but a cursor of ours begins at the beginning. */
function parseCursor(text: string | undefined): Cursor {
  if (!text) return beginOf(0);
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return beginOf(0);
  }
  const [partition, score, key] = Array.isArray(parsed) ? (parsed as unknown[]) : [];
  const sound = Number.isInteger(partition) && Number(partition) >= 0 && /^(-inf|\d+)$/.test(String(score));
  return sound && typeof key === 'string' ? { partition: Number(partition), score: String(score), key } : beginOf(0);
}

function tenantOf(sessionKey: string): number {
  return Number(sessionKey.split(':', 3)[2]);
}

function matches(session: LiveSession, wanted: string): boolean {
  const { userName, sessionId, framedIp, framedIpv6Prefix, delegatedIpv6Prefix, callingStationId } = session;
  return (
    wanted === '' ||
    [userName, sessionId, framedIp, framedIpv6Prefix, delegatedIpv6Prefix, callingStationId].some((text) =>
      text.toLowerCase().includes(wanted),
    )
  );
}

const nothing = Buffer.alloc(0);

/** Undefined when the session is gone or closed. `values`: those of {@link sessionFields}. */
export function sessionOf(partition: number, values: readonly (Buffer | null)[]): LiveSession | undefined {
  const bytes = (name: SessionField) => values[placeOf[name]] ?? nothing;
  const text = (name: SessionField) => bytes(name).toString('utf8');
  const number = (name: SessionField) => Number(text(name));
  const counters = readCounters(bytes('times'), bytes('totals'));
  if (text('state') !== 'open' || !counters) return undefined;
  return {
    tenantId: number('tenant'),
    subscriptionId: number('sub'),
    partition,
    nasId: number('nas'),
    nasInstance: text('inst'),
    sessionId: text('sid'),
    incarnation: number('inc'),
    userName: text('user'),
    startedAtMs: number('started'),
    ...counters,
    sourceAddress: text('src'),
    nasIpAddress: text('nasip'),
    nasPort: text('port'),
    nasPortId: text('portid'),
    framedIp: text('fip'),
    framedIpv6Prefix: text('v6'),
    delegatedIpv6Prefix: text('pd'),
    callingStationId: text('calling'),
    calledStationId: text('called'),
    loginOutcomeHash: text('loh'),
    classUuid: text('uuid'),
    enforcement: {
      desired: text('desired'),
      sent: text('sent'),
      acked: text('acked'),
      errorCause: text('cause'),
      updatedAtMs: number('eupd'),
    },
  };
}
