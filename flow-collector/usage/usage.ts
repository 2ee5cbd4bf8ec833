// The usage of one worker: what its flows add up to goes to its own log, every second while the ledger keeps up, and from there to the ledger.
import path from 'node:path';
import { type LedgerLog, type LedgerLogOptions, openLedgerLog, walFolder } from '#ops/lanes/ledger-log.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { FlowUsageRecord } from '#policy/ledger/types.ts';
import { type Counters, counterPlaces } from '../counters.ts';
import { type UsageLedger, usageWork } from './apply.ts';
import { encodeUsage, mostEntries } from './record.ts';
import { createTally, quarterMs, type Tally, type UsageEntry } from './tally.ts';

export type UsageOptions = Omit<LedgerLogOptions<FlowUsageRecord>, 'work' | 'clock'> & {
  /** Throws while there is none. */
  ledger(): UsageLedger;
  counters: Counters;
  nowMs(): number;
  cutMs?: number;
  /** So many cuts are left out at most while the ledger is still busy with what was cut before. */
  mostLeftOut?: number;
  tally?: Tally;
};

export type Usage = Part & {
  /** Octets of a flow that ended at `endedAtMs`. */
  add(
    tenantId: number,
    subscriptionId: number,
    partition: number,
    endedAtMs: number,
    upBytes: number,
    downBytes: number,
  ): void;
  /** Resolves when everything added so far is on disk, or was refused and is kept for the next cut. */
  cut(): Promise<void>;
  applier: LedgerLog['applier'];
};

/** The folder of every log of flow usage. */
export function flowWalRoot(dataFolder: string): string {
  return path.join(dataFolder, 'flow-wal');
}

/** The log of a worker. Its name is its id in the ledger, which must not be that of a log of aaa-server on the same node. */
export function flowWalFolder(root: string, nodeUuid: string, worker: number): string {
  return walFolder(root, `${nodeUuid}-flow`, worker);
}

const places = {
  up: counterPlaces.offset('usage', 'up'),
  down: counterPlaces.offset('usage', 'down'),
  dropped: counterPlaces.offset('usageDropped', ''),
};

/**
 * Opens the log; applying and cutting begin with `start`.
 * @throws {WalInUse} while another thread or process has it open.
 */
export async function openUsage(options: UsageOptions): Promise<Usage> {
  const { counters, nowMs, cutMs = 1000, mostLeftOut = 9, tally = createTally() } = options;
  const log = await openLedgerLog({ ...options, work: usageWork(options.ledger) });
  let timer: NodeJS.Timeout | undefined;
  let cutting = Promise.resolve();
  let leftOut = 0;

  function addToTally(partition: number, entry: UsageEntry): boolean {
    const { tenantId, subscriptionId, slotFromMs, upBytes, downBytes } = entry;
    return tally.add(tenantId, subscriptionId, partition, slotFromMs / quarterMs, upBytes, downBytes);
  }

  async function keep(partition: number, entries: readonly UsageEntry[], receivedAtMs: number): Promise<void> {
    try {
      await log.append(encodeUsage({ partition, receivedAtMs, entries }));
    } catch {
      // Counted by the log, told by its alarms. Nothing of it is on disk: the next cut tries again.
      for (const entry of entries) if (!addToTally(partition, entry)) drop(entry);
      return;
    }
    for (const { upBytes, downBytes } of entries) {
      counters.add(places.up, upBytes);
      counters.add(places.down, downBytes);
    }
  }

  function drop({ upBytes, downBytes }: UsageEntry): void {
    counters.add(places.dropped, upBytes + downBytes);
  }

  function cut(): Promise<void> {
    leftOut = 0;
    if (tally.size() === 0) return cutting;
    const receivedAtMs = nowMs();
    const kept: Promise<void>[] = [cutting];
    for (const [partition, entries] of tally.take()) {
      for (let from = 0; from < entries.length; from += mostEntries) {
        kept.push(keep(partition, entries.slice(from, from + mostEntries), receivedAtMs));
      }
    }
    cutting = Promise.all(kept).then(() => undefined);
    return cutting;
  }

  /** One entry of a subscriber costs the ledger the same for one flow as for a thousand: a busy ledger gets fewer of them. */
  function cutWhenDue(): void {
    if (log.applier.idle() || leftOut >= mostLeftOut) void cut();
    else leftOut++;
  }

  return {
    name: 'flow usage',
    applier: log.applier,
    add(tenantId, subscriptionId, partition, endedAtMs, upBytes, downBytes) {
      const quarter = Math.floor(endedAtMs / quarterMs);
      if (tally.add(tenantId, subscriptionId, partition, quarter, upBytes, downBytes)) return;
      // Full: what there is goes to disk at once and makes room.
      void cut();
      tally.add(tenantId, subscriptionId, partition, quarter, upBytes, downBytes);
    },
    cut,
    async start() {
      await log.start();
      timer ??= setInterval(cutWhenDue, cutMs);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await cut();
      await log.stop();
      for (const entries of tally.take().values()) entries.forEach(drop);
    },
  };
}
