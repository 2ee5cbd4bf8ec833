// Decodes flow datagrams of any version from the receive buffer into columns, with the templates its exporters announced.
import type { Buffer } from 'node:buffer';
import type { FlowColumns } from './columns.ts';
import { type CountName, count } from './counts.ts';
import type { Exporter } from './exporter.ts';
import { createFrame } from './frame.ts';
import { createKnownTemplates } from './known-templates.ts';
import { isLearned, type Learned, readSnapshot, type Snapshot, takeSnapshot } from './learned.ts';
import { defaultLimits, type Limits } from './limits.ts';
import { createNetflow5, headerLength5 } from './netflow5.ts';
import { createNetflow9, headerLength9 } from './netflow9.ts';
import { createPending } from './pending.ts';
import { createPrograms } from './programs.ts';
import { createReadFlows } from './read-flows.ts';
import { createSenders } from './senders.ts';
import { packFields } from './template.ts';

export type DecoderOptions = {
  readonly columns: FlowColumns;
  readonly limits?: Partial<Limits>;
  /** The columns have no room for the next record: take the rows and call `clearColumns` before returning. It must not call the decoder. */
  onFull(columns: FlowColumns): void;
  /** Something that the decoders of other workers should `learn`, as an exporter's datagrams may go there next: to be posted as it is. */
  onLearned?(learned: Learned): void;
};

/** Why nothing of a datagram could be read; a set inside that cannot be read is only counted. */
export type DecodeFailure = Extract<CountName, 'too_short' | 'bad_version' | 'unsupported_version'>;
export type DecodeResult = { readonly ok: true } | { readonly ok: false; readonly reason: DecodeFailure };

export type Decoder = {
  /**
   * Appends the flows of the datagram in octets [start, start + length) of `data`, received at `receivedAtMs` (UTC ms), to the columns and
   * counts in `exporter.counts`. Data whose template is unknown is copied and waits for it. Calls `onFull` whenever a row does not fit.
   * Never throws for what is in the datagram.
   */
  decode(data: Buffer, start: number, length: number, exporter: Exporter, receivedAtMs: number): DecodeResult;
  /** Takes over what another decoder learned; flows that waited for it are appended to the columns. False when it is no such thing. */
  learn(learned: unknown, nowMs: number): boolean;
  /** What is worth keeping over a restart, as plain JSON. */
  snapshot(): Snapshot;
  /** Takes a snapshot over, at the start; entries that are none, or too old, are left out. */
  restore(snapshot: unknown, nowMs: number): { readonly accepted: number; readonly rejected: number };
  /** Octets that templates and waiting data take, by estimate. */
  readonly rememberedBytes: number;
};

const done: DecodeResult = { ok: true };
const failed: Readonly<Record<DecodeFailure, DecodeResult>> = {
  too_short: { ok: false, reason: 'too_short' },
  bad_version: { ok: false, reason: 'bad_version' },
  unsupported_version: { ok: false, reason: 'unsupported_version' },
};

/** What is too old is given up this often. */
const sweepEveryMs = 60_000;

export function createDecoder({
  columns,
  limits: given,
  onFull,
  onLearned = () => undefined,
}: DecoderOptions): Decoder {
  const limits = { ...defaultLimits, ...given };
  const senders = createSenders(limits);
  const pending = createPending(limits, senders);
  const programs = createPrograms(limits.layouts, columns);
  const readFlows = createReadFlows(columns, onFull);
  const templates = createKnownTemplates({ limits, senders, pending, programs, readFlows, onLearned });
  const netflow5 = createNetflow5(senders, columns, readFlows);
  const netflow9 = createNetflow9(senders, templates);
  const frame = createFrame();
  let lastBuffer: ArrayBufferLike | undefined;
  let view: DataView = new DataView(new ArrayBuffer(0));
  let sweptAtMs = 0;

  function senderOf(exporter: Exporter) {
    const sender = senders.of(exporter.address);
    sender.exporter = exporter;
    return sender;
  }

  function dispatch(at: number, end: number): DecodeResult {
    if (end - at < 2) return failed.too_short;
    switch (view.getUint16(at)) {
      case 5:
        if (end - at < headerLength5) return failed.too_short;
        netflow5.decode(view, at, end, senderOf(frame.exporter), frame);
        return done;
      case 9:
        if (end - at < headerLength9) return failed.too_short;
        netflow9.decode(view, at, end, senderOf(frame.exporter), frame);
        return done;
      case 10:
        return failed.unsupported_version;
      default:
        return failed.bad_version;
    }
  }

  function sweep(nowMs: number): void {
    sweptAtMs = nowMs;
    for (const sender of senders.values()) {
      pending.expire(sender, nowMs);
      senders.expireTemplates(sender, nowMs);
    }
  }

  function learn(entry: Learned, nowMs: number, isProven: boolean): void {
    const sender = senders.of(entry.exporter);
    const domain = senders.domain(sender, entry.version, entry.sourceId);
    if (entry.kind === 'rate') {
      templates.learnRate(domain, entry);
      return;
    }
    const { id, of: kind, scopeFields, fields, announcedAtMs } = entry;
    const layout = packFields(fields.map(([element, length]) => ({ element, length })));
    const template = templates.learn(domain, { id, kind, scopeFields, layout }, announcedAtMs, nowMs);
    if (isProven) senders.promote(domain, template);
  }

  return {
    decode(data, start, length, exporter, receivedAtMs) {
      if (data.buffer !== lastBuffer) {
        lastBuffer = data.buffer;
        view = new DataView(data.buffer);
      }
      if (receivedAtMs - sweptAtMs > sweepEveryMs) sweep(receivedAtMs);
      frame.exporter = exporter;
      frame.receivedAtMs = receivedAtMs;
      count(exporter.counts, 'packets');
      const at = data.byteOffset + start;
      const result = dispatch(at, at + length);
      if (!result.ok) count(exporter.counts, result.reason);
      return result;
    },
    learn(learned, nowMs) {
      if (!isLearned(learned, limits)) return false;
      learn(learned, nowMs, false);
      return true;
    },
    snapshot: () => takeSnapshot(senders),
    restore(snapshot, nowMs) {
      const { learned, domains, rejected } = readSnapshot(snapshot, limits);
      const recent = learned.filter(
        (entry) => entry.kind === 'rate' || nowMs - entry.announcedAtMs <= limits.templateMaxAgeMs,
      );
      for (const entry of recent) learn(entry, nowMs, true);
      for (const { exporter, version, sourceId, uptimeMs, sequence } of domains) {
        const domain = senders.domain(senders.of(exporter), version, sourceId);
        domain.restored = { uptimeMs, expected: sequence };
      }
      return { accepted: recent.length + domains.length, rejected: rejected + learned.length - recent.length };
    },
    get rememberedBytes() {
      return senders.bytes;
    },
  };
}
