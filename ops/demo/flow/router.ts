// A simulated router in front of access servers: exports the same traffic as NetFlow v9, with its template again and again, and loses a datagram now and then.
import type { Session } from '../isp/session.ts';
import type { Tap } from '../isp/session-table.ts';
import { addBytes, type ByteCount, type Subscriber } from '../isp/subscriber.ts';
import { between, type Random, wholeBetween } from '../random.ts';
import { type Conversation, flowsOf, mostRecords, newConversation, template } from './flows.ts';
import { type DataRecord, encodeExport } from './netflow9.ts';

export type RouterCounts = { datagrams: number; records: number; lost: number };

export type Router = Tap & {
  readonly counts: Readonly<RouterCounts>;
  /** Sends the template alone, as after a start. */
  announce(): void;
  tick(nowMs: number): void;
};

export type RouterOptions = {
  /** Source id of the exporter. */
  readonly sourceId: number;
  /** Share of the datagrams that are lost on purpose; never one with the template. */
  readonly lostShare: number;
  readonly random: Random;
  nowMs(): number;
  send(datagram: Buffer): void;
};

type Seen = {
  readonly session: Session;
  readonly address: Uint8Array;
  readonly told: ByteCount;
  toldAtMs: number;
  dueMs: number;
  conversations: [Conversation, ...Conversation[]];
};
type Waiting = { readonly record: DataRecord; readonly bytes: ByteCount; readonly subscriber: Subscriber };

/**
 * The active timeout of its flow cache, which keeps a flow until Lastmile has had time to learn whose address it is: else a Start that
 * the weather delays would make it nobody's.
 */
const exportEveryMs = { from: 3000, to: 5000 };
const learningMs = 1000;
const templateEveryMs = 5000;
const dayMs = 86_400_000;

export function createRouter({ sourceId, lostShare, random, nowMs, send }: RouterOptions): Router {
  const counts: RouterCounts = { datagrams: 0, records: 0, lost: 0 };
  const seen = new Map<Session, Seen>();
  const waiting: Waiting[] = [];
  const bootMs = Math.floor((nowMs() - between(random, 1, 30) * dayMs) / 1000) * 1000;
  let sequence = wholeBetween(random, 0, 1_000_000);
  let templateAtMs = Number.NEGATIVE_INFINITY;

  function tell(flow: Seen, atMs: number): void {
    const { session, told, address, toldAtMs, conversations } = flow;
    const bytes = { up: session.carried.up - told.up, down: session.carried.down - told.down };
    for (const { record, bytes: part } of flowsOf(address, bytes, conversations, toldAtMs - bootMs, atMs - bootMs))
      waiting.push({ record, bytes: part, subscriber: session.subscriber });
    addBytes(told, bytes);
    flow.toldAtMs = atMs;
    flow.dueMs = atMs + between(random, exportEveryMs.from, exportEveryMs.to);
    if (random() < 0.3) flow.conversations = conversationsOf(random);
  }

  /** The header tells the whole second that follows, and the uptime then: so the times of the flows are exact to the millisecond. */
  function emit(atMs: number, records: readonly DataRecord[], withTemplate: boolean, lost: boolean): void {
    const unixS = Math.ceil(atMs / 1000);
    const header = { sysUptimeMs: unixS * 1000 - bootMs, unixS, sequence: sequence++, sourceId };
    counts.datagrams++;
    counts.records += records.length;
    if (withTemplate) templateAtMs = atMs;
    if (lost) counts.lost++;
    else send(encodeExport(header, template, records, withTemplate));
  }

  function flush(atMs: number): void {
    while (waiting.length > 0) {
      const size = random() < 0.8 ? mostRecords : wholeBetween(random, 1, mostRecords + 1);
      const batch = waiting.splice(0, size);
      const withTemplate = atMs - templateAtMs >= templateEveryMs;
      const lost = !withTemplate && random() < lostShare;
      for (const { subscriber, bytes } of batch) addBytes(lost ? subscriber.exportLost : subscriber.exported, bytes);
      const records = batch.map(({ record }) => record);
      emit(atMs, records, withTemplate, lost);
    }
  }

  return {
    counts,
    announce: () => emit(Math.floor(nowMs()), [], true, false),
    opened(session) {
      const atMs = Math.floor(nowMs());
      const address = Uint8Array.from(session.framedIp.split('.').map(Number));
      const dueMs = atMs + between(random, exportEveryMs.from, exportEveryMs.to);
      const conversations = conversationsOf(random);
      seen.set(session, { session, address, told: { up: 0, down: 0 }, toldAtMs: atMs, dueMs, conversations });
    },
    closed(session) {
      const flow = seen.get(session);
      if (!flow) return;
      seen.delete(session);
      tell(flow, Math.floor(nowMs()));
    },
    tick(nowMs) {
      const atMs = Math.floor(nowMs);
      for (const flow of seen.values()) if (atMs >= flow.dueMs && isKnown(flow, atMs)) tell(flow, atMs);
      flush(atMs);
    },
  };
}

function isKnown({ session }: Seen, atMs: number): boolean {
  return session.knownAtMs !== null && atMs >= session.knownAtMs + learningMs;
}

function conversationsOf(random: Random): [Conversation, ...Conversation[]] {
  const more = wholeBetween(random, 0, 3);
  return [newConversation(random), ...Array.from({ length: more }, () => newConversation(random))];
}
