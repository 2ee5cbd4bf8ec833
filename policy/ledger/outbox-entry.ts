// One entry of the outbox: the columns of the table `accounting`, unpacked from what lua/outbox.lua packs.
import { readUint as uint } from './bytes.ts';
import { readState } from './state.ts';
import { type Meter, meters } from './types.ts';

export type OutboxEntry = {
  /** Of the stream; not part of the record's identity. */
  readonly id: string;
  readonly partition: number;
  readonly wal: string;
  readonly position: number;
  /** Index of the subscriber in a batch of flow usage, else 0. */
  readonly part: number;
  readonly generation: number;
  readonly tenantId: number;
  /** 0: unattributed. */
  readonly subscriptionId: number;
  readonly meter: Meter;
  readonly kind: OutboxKind;
  /** The delta flowed in (from, event]. */
  readonly fromMs: number;
  readonly eventAtMs: number;
  readonly receivedAtMs: number;
  /** What counts toward usage: nothing of what the other meter counts. */
  readonly upDelta: number;
  readonly downDelta: number;
  readonly flags: readonly string[];
  /** Of flow usage: 0 and ''. */
  readonly nasId: number;
  readonly nasInstance: string;
  readonly sessionId: string;
  readonly incarnation: number;
  readonly userName: string;
  readonly framedIp: string;
  /** Composed totals of the incarnation. */
  readonly upTotal: number;
  readonly downTotal: number;
  /** The session as it was behind this record, base64: restore.ts brings it back. */
  readonly state: string;
};

export const outboxKinds = ['start', 'interim', 'stop', 'flow'] as const;
export type OutboxKind = (typeof outboxKinds)[number];

const version = 1;
const headBytes = 73;

/** Undefined for anything of another version, or cut off. */
export function decodeEntry(id: string, partition: number, bytes: Buffer | undefined): OutboxEntry | undefined {
  if (!bytes || bytes.length < headBytes || bytes[0] !== version) return undefined;
  const meter = meters[uint(bytes, 1, 1) - 1];
  const kind = outboxKinds[uint(bytes, 2, 1) - 1];
  const walEnd = headBytes + uint(bytes, 5, 1);
  const flagsEnd = walEnd + uint(bytes, 6, 2);
  const rest = kind === 'flow' ? noSession : sessionOf(bytes.subarray(flagsEnd));
  if (!meter || !kind || !rest) return undefined;
  const flags = bytes.toString('utf8', walEnd, flagsEnd);
  return {
    id,
    partition,
    wal: bytes.toString('utf8', headBytes, walEnd),
    position: uint(bytes, 15, 7),
    part: uint(bytes, 3, 2),
    generation: uint(bytes, 8, 7),
    tenantId: uint(bytes, 29, 6),
    subscriptionId: uint(bytes, 35, 6),
    meter,
    kind,
    fromMs: uint(bytes, 41, 6),
    eventAtMs: uint(bytes, 47, 6),
    receivedAtMs: uint(bytes, 53, 6),
    upDelta: uint(bytes, 59, 7),
    downDelta: uint(bytes, 66, 7),
    flags: flags === '' ? [] : flags.split(','),
    ...rest,
  };
}

/** Bytes written to the partition's outbox before this entry. */
export function writtenBefore(bytes: Buffer | undefined): number {
  return bytes && bytes.length >= headBytes ? uint(bytes, 22, 7) : 0;
}

const noSession = {
  ...{ nasId: 0, nasInstance: '', sessionId: '', incarnation: 0, userName: '', framedIp: '' },
  ...{ upTotal: 0, downTotal: 0, state: '' },
};

function sessionOf(bytes: Buffer): typeof noSession | undefined {
  if (bytes.length < 8) return undefined;
  const instanceEnd = 8 + uint(bytes, 6, 2);
  const state = bytes.subarray(instanceEnd);
  const session = readState(state);
  if (!session) return undefined;
  const { sessionId, incarnation, userName, framedIp, upTotal, downTotal } = session;
  return {
    nasId: uint(bytes, 0, 6),
    nasInstance: bytes.toString('utf8', 8, instanceEnd),
    ...{ sessionId, incarnation, userName, framedIp, upTotal, downTotal },
    state: state.toString('base64'),
  };
}
