// Decodes flow datagrams of any version from the receive buffer into columns, with the templates its exporters announced.
import type { Buffer } from 'node:buffer';
import { type FlowColumns, flag } from './columns.ts';
import { compileTemplate, type Program } from './compile.ts';
import { type CountName, count } from './counts.ts';
import type { Exporter } from './exporter.ts';
import { createFirewallUpdates } from './firewall-updates.ts';
import { createFrame } from './frame.ts';
import { fields5, headerLength5, readHeader5, recordLength5 } from './netflow5.ts';

export type DecoderOptions = {
  readonly columns: FlowColumns;
  /** The columns have no room for the next record: take the rows and call `clearColumns` before returning. */
  onFull(columns: FlowColumns): void;
};

/** Why nothing of a datagram could be read; a set inside that cannot be read is only counted. */
export type DecodeFailure = Extract<CountName, 'too_short' | 'bad_version' | 'unsupported_version'>;
export type DecodeResult = { readonly ok: true } | { readonly ok: false; readonly reason: DecodeFailure };

export type Decoder = {
  /**
   * Appends the flows of the datagram in octets [start, start + length) of `data`, received at `receivedAtMs` (UTC ms), to the columns and
   * counts in `exporter.counts`. Calls `onFull` whenever a row does not fit. Never throws for what is in the datagram.
   */
  decode(data: Buffer, start: number, length: number, exporter: Exporter, receivedAtMs: number): DecodeResult;
};

const done: DecodeResult = { ok: true };
const failed: Readonly<Record<DecodeFailure, DecodeResult>> = {
  too_short: { ok: false, reason: 'too_short' },
  bad_version: { ok: false, reason: 'bad_version' },
  unsupported_version: { ok: false, reason: 'unsupported_version' },
};

export function createDecoder({ columns, onFull }: DecoderOptions): Decoder {
  const updates = createFirewallUpdates();
  const program5 = compileTemplate(fields5, false, columns, updates);
  const frame = createFrame();
  let lastBuffer: ArrayBufferLike | undefined;
  let view: DataView = new DataView(new ArrayBuffer(0));

  function readRecords(program: Program, from: number, end: number): void {
    const limit = columns.capacity - program.rowsPerRecord + 1;
    let at = from;
    for (;;) {
      const before = columns.count;
      at = program.read(view, at, end, frame);
      if (frame.flags & flag.samplingUnknown) count(frame.exporter.counts, 'sampling_unknown', columns.count - before);
      if (columns.count < limit) return;
      onFull(columns);
      if (columns.count >= limit) throw new Error('onFull left no room in the columns');
    }
  }

  function decode5(at: number, end: number): DecodeResult {
    if (end - at < headerLength5) return failed.too_short;
    const header = readHeader5(view, at);
    const first = at + headerLength5;
    const fitting = Math.floor((end - first) / recordLength5);
    if (header.count > fitting) count(frame.exporter.counts, 'malformed_length');
    frame.version = 5;
    frame.exportedAtMs = header.exportedAtMs;
    frame.uptimeMs = header.uptimeMs;
    frame.samplingRate = header.samplingRate || (frame.exporter.samplingRate ?? 1);
    frame.flags = 0;
    readRecords(program5, first, first + Math.min(header.count, fitting) * recordLength5);
    return done;
  }

  function dispatch(at: number, end: number): DecodeResult {
    if (end - at < 2) return failed.too_short;
    switch (view.getUint16(at)) {
      case 5:
        return decode5(at, end);
      case 10:
        return failed.unsupported_version;
      default:
        return failed.bad_version;
    }
  }

  return {
    decode(data, start, length, exporter, receivedAtMs) {
      if (data.buffer !== lastBuffer) {
        lastBuffer = data.buffer;
        view = new DataView(data.buffer);
      }
      frame.exporter = exporter;
      frame.receivedAtMs = receivedAtMs;
      count(exporter.counts, 'packets');
      const at = data.byteOffset + start;
      const result = dispatch(at, at + length);
      if (!result.ok) count(exporter.counts, result.reason);
      return result;
    },
  };
}
