// NetFlow version 5: a 24-octet header and records of 48 octets in a fixed layout (Cisco, NetFlow Export Datagram Format).
import { tier } from './bounded.ts';
import type { FlowColumns } from './columns.ts';
import { compileTemplate } from './compile.ts';
import { count } from './counts.ts';
import { createFirewallUpdates } from './firewall-updates.ts';
import type { Frame } from './frame.ts';
import type { Field } from './layout.ts';
import type { ReadFlows } from './read-flows.ts';
import { createSampling } from './sampling.ts';
import type { Sender, Senders } from './senders.ts';
import { follow, sequenceOfFlows } from './sequence.ts';

export const headerLength5 = 24;
const recordLength5 = 48;

/** The record as a template, so that one compiler reads every version. Element 0 is padding. */
const fields5: readonly Field[] = (
  [
    [8, 4],
    [12, 4],
    [15, 4],
    [10, 2],
    [14, 2],
    [2, 4],
    [1, 4],
    [22, 4],
    [21, 4],
    [7, 2],
    [11, 2],
    [0, 1],
    [6, 1],
    [4, 1],
    [5, 1],
    [16, 2],
    [17, 2],
    [9, 1],
    [13, 1],
    [0, 2],
  ] as const
).map(([element, length]) => ({ element, length }));

export type Netflow5 = {
  /** Reads octets [at, end), which begin with a header of version 5. */
  decode(view: DataView, at: number, end: number, sender: Sender, frame: Frame): void;
};

export function createNetflow5(senders: Senders, columns: FlowColumns, readFlows: ReadFlows): Netflow5 {
  const program = compileTemplate(fields5, false, columns, createFirewallUpdates());
  const sampling = createSampling();

  return {
    decode(view, at, end, sender, frame) {
      const { exporter } = frame;
      const announced = view.getUint16(at + 2);
      const first = at + headerLength5;
      const records = Math.min(announced, Math.floor((end - first) / recordLength5));
      if (records < announced) count(exporter.counts, 'malformed_length');
      // Engine type and id: each engine counts its own sequence of flows.
      const domain = senders.domain(sender, 5, view.getUint16(at + 20));
      follow(domain.sequence, view.getUint32(at + 16), announced, sequenceOfFlows, exporter.counts, frame.receivedAtMs);
      domain.uptimeMs = view.getUint32(at + 4);
      frame.version = 5;
      frame.uptimeMs = domain.uptimeMs;
      frame.exportedAtMs = view.getUint32(at + 8) * 1000 + Math.floor(view.getUint32(at + 12) / 1e6);
      // The two high bits are the mode; 0 = not told.
      sampling.general = view.getUint16(at + 22) & 0x3fff;
      readFlows(program, view, first, first + records * recordLength5, frame, sampling, 0);
      if (records > 0 && (domain.tier === tier.fresh || exporter.known)) senders.promote(domain, undefined);
    },
  };
}
