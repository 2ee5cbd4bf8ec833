// What the sequence numbers of an exporter say is lost: reordering and restarts are not loss (RFC 3954 §5.1).
import { type CountName, count } from './counts.ts';

/** Numbers [from, to) that did not come; `missing` of them still. */
type Gap = {
  readonly from: number;
  readonly to: number;
  missing: number;
  readonly packet: number;
  readonly atMs: number;
};

export type Sequence = {
  /** −1 before the first datagram. */
  expected: number;
  packets: number;
  /** Oldest first; undefined while nothing was ever missing. */
  gaps: Gap[] | undefined;
};

export type SequenceUnit = {
  /** What a number counts: `lost_flows` (version 5) or `lost_packets` (version 9). */
  readonly lost: Extract<CountName, 'lost_flows' | 'lost_packets'>;
  /** A number at most this far back is a late datagram, further back a restarted exporter. */
  readonly window: number;
  /** A number further ahead is a restarted exporter as well: its old number was high, and numbers wrap at 2^32. */
  readonly maxAhead: number;
};

export const sequenceOfFlows: SequenceUnit = { lost: 'lost_flows', window: 64 * 30, maxAhead: 2 ** 28 };
export const sequenceOfPackets: SequenceUnit = { lost: 'lost_packets', window: 64, maxAhead: 2 ** 24 };

/** A gap is counted as lost after so many datagrams or so much time, whichever comes first. */
const patiencePackets = 64;
const patienceMs = 10_000;
const maxGaps = 16;

export function createSequence(): Sequence {
  return { expected: -1, packets: 0, gaps: undefined };
}

export type SequenceStep = 'first' | 'next' | 'ahead' | 'late' | 'restart';

/**
 * Follows one datagram that carries number `value` and is `size` numbers long. Several processes that share one sequence look like an
 * exporter that restarts again and again: no loss is counted for them.
 */
export function follow(
  sequence: Sequence,
  value: number,
  size: number,
  unit: SequenceUnit,
  counts: Float64Array,
  atMs: number,
): SequenceStep {
  const step = stepOf(sequence.expected, value, unit);
  sequence.packets++;
  if (step === 'late') {
    count(counts, 'reordered');
    fill(sequence, value, size);
  } else {
    if (step === 'ahead') open(sequence, value, unit, counts, atMs);
    else if (step === 'restart') {
      count(counts, 'exporter_restart');
      sequence.gaps = undefined;
    }
    sequence.expected = (value + size) >>> 0;
  }
  if (sequence.gaps) giveUp(sequence, sequence.gaps, unit, counts, atMs);
  return step;
}

function stepOf(expected: number, value: number, { window, maxAhead }: SequenceUnit): SequenceStep {
  if (expected < 0) return 'first';
  const ahead = (value - expected) | 0;
  if (ahead === 0) return 'next';
  if (ahead > 0) return ahead <= maxAhead ? 'ahead' : 'restart';
  return -ahead <= window ? 'late' : 'restart';
}

function open(sequence: Sequence, value: number, unit: SequenceUnit, counts: Float64Array, atMs: number): void {
  const missing = (value - sequence.expected) >>> 0;
  sequence.gaps ??= [];
  sequence.gaps.push({ from: sequence.expected, to: value, missing, packet: sequence.packets, atMs });
  if (sequence.gaps.length > maxGaps) count(counts, unit.lost, sequence.gaps.shift()?.missing ?? 0);
}

function fill({ gaps }: Sequence, value: number, size: number): void {
  const gap = gaps?.find(({ from, to }) => ((value - from) | 0) >= 0 && ((to - value) | 0) > 0);
  if (gap) gap.missing = Math.max(0, gap.missing - size);
}

function giveUp(sequence: Sequence, gaps: Gap[], unit: SequenceUnit, counts: Float64Array, atMs: number): void {
  for (let gap = gaps[0]; gap; gap = gaps[0]) {
    if (sequence.packets - gap.packet < patiencePackets && Math.abs(atMs - gap.atMs) < patienceMs) return;
    count(counts, unit.lost, gap.missing);
    gaps.shift();
  }
}
