// Data whose template is not known yet, kept for a while: it is decoded with the template that comes, never with an older one.
import { count } from './counts.ts';
import type { Exporter } from './exporter.ts';
import type { Frame } from './frame.ts';
import { type Limits, weight } from './limits.ts';
import type { Domain, Sender, Senders } from './senders.ts';
import { isOf } from './template.ts';

export type PendingSet = {
  readonly templateKey: number;
  /** A copy of the set's records. */
  readonly view: DataView;
  readonly exporter: Exporter;
  readonly receivedAtMs: number;
  readonly exportedAtMs: number;
  readonly uptimeMs: number;
};

export type Pending = {
  /** Copies octets [at, end); makes room by dropping older ones of the exporter. */
  keep(sender: Sender, templateKey: number, view: DataView, at: number, end: number, frame: Frame): void;
  /** Takes out what waited for the template, oldest first. */
  take(sender: Sender, templateKey: number, nowMs: number): PendingSet[];
  /** Gives up what waits for templates of the domain. */
  drop(domain: Domain): void;
  expire(sender: Sender, nowMs: number): void;
};

export function createPending(limits: Limits, senders: Senders): Pending {
  const sizeOf = (set: PendingSet) => set.view.byteLength + weight.pending;

  function release(sender: Sender, set: PendingSet): void {
    sender.pendingBytes -= sizeOf(set);
    senders.charge(sender, -sizeOf(set));
  }

  function dropOldest(sender: Sender): void {
    const set = sender.pending.shift();
    if (!set) return;
    release(sender, set);
    count(set.exporter.counts, 'set_dropped');
  }

  function expire(sender: Sender, nowMs: number): void {
    for (
      let [oldest] = sender.pending;
      oldest && nowMs - oldest.receivedAtMs > limits.pendingMs;
      [oldest] = sender.pending
    ) {
      dropOldest(sender);
    }
  }

  /** Takes out the sets that fit. */
  function pick(sender: Sender, fits: (set: PendingSet) => boolean): PendingSet[] {
    const picked = sender.pending.filter(fits);
    if (picked.length > 0) sender.pending = sender.pending.filter((set) => !fits(set));
    for (const set of picked) release(sender, set);
    return picked;
  }

  return {
    keep(sender, templateKey, view, at, end, frame) {
      const { exporter, receivedAtMs, exportedAtMs, uptimeMs } = frame;
      expire(sender, receivedAtMs);
      const size = end - at + weight.pending;
      if (size > limits.pendingBytesPerExporter) {
        count(exporter.counts, 'set_dropped');
        return;
      }
      while (sender.pendingBytes + size > limits.pendingBytesPerExporter) dropOldest(sender);
      const octets = new Uint8Array(end - at);
      octets.set(new Uint8Array(view.buffer, view.byteOffset + at, end - at));
      const copy = new DataView(octets.buffer);
      sender.pending.push({ templateKey, view: copy, exporter, receivedAtMs, exportedAtMs, uptimeMs });
      sender.pendingBytes += size;
      senders.charge(sender, size);
      count(exporter.counts, 'set_buffered');
    },
    take(sender, templateKey, nowMs) {
      if (sender.pending.length === 0) return [];
      expire(sender, nowMs);
      return pick(sender, (set) => set.templateKey === templateKey);
    },
    drop(domain) {
      const dropped = pick(domain.sender, (set) => isOf(domain, set.templateKey));
      for (const { exporter } of dropped) count(exporter.counts, 'set_dropped');
    },
    expire,
  };
}
