// NetFlow version 9 (RFC 3954): a 20-octet header, then sets: templates, options templates, and data by template id.
import { count } from './counts.ts';
import type { Frame } from './frame.ts';
import type { KnownTemplates } from './known-templates.ts';
import type { Domain, Sender, Senders } from './senders.ts';
import { follow, type SequenceStep, sequenceOfPackets } from './sequence.ts';

export const headerLength9 = 20;

export type Netflow9 = {
  /** Reads octets [at, end), which begin with a header of version 9. */
  decode(view: DataView, at: number, end: number, sender: Sender, frame: Frame): void;
};

export function createNetflow9(senders: Senders, templates: KnownTemplates): Netflow9 {
  function readSets(view: DataView, first: number, end: number, domain: Domain, frame: Frame): void {
    const { counts } = frame.exporter;
    let at = first;
    while (at + 4 <= end) {
      const id = view.getUint16(at);
      const length = view.getUint16(at + 2);
      if (length < 4 || at + length > end) {
        // Zeros behind the last set are padding, as much of it as Palo Alto likes.
        if (id !== 0 || length !== 0) count(counts, 'malformed_length');
        return;
      }
      const from = at + 4;
      at += length;
      if (id >= 256) templates.readData(domain, id, view, from, at, frame);
      else if (id === 0) readTemplates(view, from, at, domain, frame);
      else if (id === 1) readOptionsTemplates(view, from, at, domain, frame);
      else count(counts, 'reserved_set');
    }
  }

  /** RFC 3954 §5.2. */
  function readTemplates(view: DataView, first: number, end: number, domain: Domain, frame: Frame): void {
    let at = first;
    while (at + 4 <= end) {
      const id = view.getUint16(at);
      const fields = view.getUint16(at + 2);
      const next = at + 4 + fields * 4;
      if (id < 256 || next > end) {
        if (id !== 0 || fields !== 0) count(frame.exporter.counts, 'template_malformed');
        return;
      }
      templates.announce(domain, { id, kind: 'data', scopeFields: 0, fields, at: at + 4 }, view, frame);
      at = next;
    }
  }

  /** RFC 3954 §6.1: the lengths are octets of the specifiers of scope and options. */
  function readOptionsTemplates(view: DataView, first: number, end: number, domain: Domain, frame: Frame): void {
    let at = first;
    while (at + 6 <= end) {
      const id = view.getUint16(at);
      const scopeLength = view.getUint16(at + 2);
      const optionLength = view.getUint16(at + 4);
      const next = at + 6 + scopeLength + optionLength;
      if (id < 256 || next > end || scopeLength % 4 !== 0 || optionLength % 4 !== 0) {
        if (id !== 0 || scopeLength !== 0 || optionLength !== 0) count(frame.exporter.counts, 'template_malformed');
        return;
      }
      const fields = (scopeLength + optionLength) / 4;
      const announcement = { id, kind: 'options', scopeFields: scopeLength / 4, fields, at: at + 6 } as const;
      templates.announce(domain, announcement, view, frame);
      at = next;
    }
  }

  /**
   * Sampling options that stand behind the data they are about count for it as well: they are read ahead, as long as no template changes
   * on the way.
   */
  function readRatesFirst(view: DataView, first: number, end: number, domain: Domain, frame: Frame): void {
    if (first + 4 > end || first + view.getUint16(first + 2) + 4 > end) return;
    for (let at = first; at + 4 <= end; ) {
      const id = view.getUint16(at);
      const length = view.getUint16(at + 2);
      if (id < 256 || length < 4 || at + length > end) return;
      if (at > first) templates.readRates(domain, id, view, at + 4, at + length, frame);
      at += length;
    }
  }

  return {
    decode(view, at, end, sender, frame) {
      const uptimeMs = view.getUint32(at + 4);
      const sequence = view.getUint32(at + 12);
      const domain = senders.domain(sender, 9, view.getUint32(at + 16));
      const { counts } = frame.exporter;
      const step = follow(domain.sequence, sequence, 1, sequenceOfPackets, counts, frame.receivedAtMs);
      if (hasStartedAnew(domain, step, uptimeMs, sequence)) templates.forget(domain);
      domain.restored = undefined;
      if (step !== 'late') domain.uptimeMs = uptimeMs;
      frame.version = 9;
      frame.uptimeMs = uptimeMs;
      frame.exportedAtMs = view.getUint32(at + 8) * 1000;
      const first = at + headerLength9;
      readRatesFirst(view, first, end, domain, frame);
      readSets(view, first, end, domain, frame);
    },
  };
}

/** An uptime that went back by more than datagrams overtake each other. */
const clearlyBackMs = 60_000;
/** A restarted exporter is noticed within this time; several processes that share a source id are not taken for restarts for longer. */
const recentStartMs = 600_000;
/** An uptime so close to its wrap may have wrapped. */
const nearWrapMs = 2 ** 32 - 3_600_000;

/** Whether the exporter has restarted, so that its template ids may mean something else (RFC 3954 §9): both its uptime and its sequence say so. */
function hasStartedAnew(
  { uptimeMs, restored }: Domain,
  step: SequenceStep,
  nowUptimeMs: number,
  sequence: number,
): boolean {
  const isBack = (from: number) => from < nearWrapMs && from - nowUptimeMs > clearlyBackMs;
  if (restored) return isBack(restored.uptimeMs) && ((sequence - restored.expected) | 0) < 0;
  return (step === 'restart' || step === 'ahead') && nowUptimeMs < recentStartMs && isBack(uptimeMs);
}
