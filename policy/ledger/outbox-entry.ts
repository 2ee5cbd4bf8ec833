// The rows of an entry of the outbox: the columns of the table `accounting`, unpacked from what lua/outbox.lua packs.
import { readUint as uint } from './bytes.ts';
import { readState } from './state.ts';
import { type Meter, meters } from './types.ts';

export type OutboxRow = {
  /** Of the entry in the stream, shared by its rows; not part of the record's identity. */
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

/** An entry with one row, as it was written before entries had several. */
const versionOne = 1;
const version = 2;
const headBytes = 16;
/** Of a row with its length, and without. */
const lengthBytes = 3;
const rowBytes = 60;

/** The rows of an entry; undefined for anything of another version, or cut off. */
export function decodeEntry(id: string, partition: number, bytes: Buffer | undefined): OutboxRow[] | undefined {
  if (bytes?.[0] === versionOne) return decodeVersionOne(id, partition, bytes);
  if (!bytes || bytes.length < headBytes || bytes[0] !== version) return undefined;
  const rowsAt = headBytes + uint(bytes, 1, 1);
  const wal = bytes.toString('utf8', headBytes, rowsAt);
  const generation = uint(bytes, 2, 7);
  const rows: OutboxRow[] = [];
  for (let at = rowsAt; at < bytes.length; ) {
    if (bytes.length < at + rowBytes) return undefined;
    const end = at + lengthBytes + uint(bytes, at, lengthBytes);
    const flagsEnd = at + rowBytes + uint(bytes, at + 7, 2);
    if (bytes.length < end || end < flagsEnd) return undefined;
    const kinds = kindsOf(bytes, at + 3);
    const session = kinds && sessionOf(kinds.kind, bytes.subarray(flagsEnd, end));
    if (!session) return undefined;
    rows.push({
      ...{ id, partition, wal, generation, ...kinds },
      ...{ part: uint(bytes, at + 5, 2), position: uint(bytes, at + 9, 7), ...amountsOf(bytes, at + 16) },
      ...{ flags: flagsOf(bytes, at + rowBytes, flagsEnd), ...session },
    });
    at = end;
  }
  return rows.length === 0 ? undefined : rows;
}

const headOne = 73;

function decodeVersionOne(id: string, partition: number, bytes: Buffer): OutboxRow[] | undefined {
  if (bytes.length < headOne) return undefined;
  const walEnd = headOne + uint(bytes, 5, 1);
  const flagsEnd = walEnd + uint(bytes, 6, 2);
  const kinds = kindsOf(bytes, 1);
  const session = kinds && sessionOf(kinds.kind, bytes.subarray(flagsEnd));
  if (!session) return undefined;
  return [
    {
      ...{ id, partition, wal: bytes.toString('utf8', headOne, walEnd), generation: uint(bytes, 8, 7), ...kinds },
      ...{ part: uint(bytes, 3, 2), position: uint(bytes, 15, 7), ...amountsOf(bytes, 29) },
      ...{ flags: flagsOf(bytes, walEnd, flagsEnd), ...session },
    },
  ];
}

function kindsOf(bytes: Buffer, at: number) {
  const meter = meters[uint(bytes, at, 1) - 1];
  const kind = outboxKinds[uint(bytes, at + 1, 1) - 1];
  return meter && kind && { meter, kind };
}

function amountsOf(bytes: Buffer, at: number) {
  return {
    tenantId: uint(bytes, at, 6),
    subscriptionId: uint(bytes, at + 6, 6),
    fromMs: uint(bytes, at + 12, 6),
    eventAtMs: uint(bytes, at + 18, 6),
    receivedAtMs: uint(bytes, at + 24, 6),
    upDelta: uint(bytes, at + 30, 7),
    downDelta: uint(bytes, at + 37, 7),
  };
}

function flagsOf(bytes: Buffer, from: number, to: number): string[] {
  return from === to ? [] : bytes.toString('latin1', from, to).split(',');
}

/** Bytes written to the partition's outbox before this entry. */
export function writtenBefore(bytes: Buffer | undefined): number {
  if (bytes?.[0] === versionOne) return bytes.length < headOne ? 0 : uint(bytes, 22, 7);
  return bytes?.[0] === version && bytes.length >= headBytes ? uint(bytes, 9, 7) : 0;
}

const noSession = {
  ...{ nasId: 0, nasInstance: '', sessionId: '', incarnation: 0, userName: '', framedIp: '' },
  ...{ upTotal: 0, downTotal: 0, state: '' },
};

function sessionOf(kind: OutboxKind, bytes: Buffer): typeof noSession | undefined {
  if (kind === 'flow') return noSession;
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
