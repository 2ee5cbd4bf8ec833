// Every log of accounting that this worker forwards: its own, opened as they are needed, and those of workers that are no longer there.
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Part } from '#ops/runtime/lifecycle.ts';
import { WalInUse } from '#ops/wal/wal.ts';
import { type AccountingLog, type Keeping, openAccountingLog } from './accounting-log.ts';
import type { Target } from './deliver.ts';
import type { DestinationLabels, ProxyMetrics } from './metrics.ts';

/** Whose accounting, to where. */
export type Destination = { readonly tenantId: number; readonly kind: 'realm' | 'copy'; readonly id: number };

export type AccountingLogs = Part & {
  /** Resolves when the record (encodeWaiting) waits on disk for the destination. */
  append(to: Destination, record: Buffer): Promise<void>;
  /** What waits, by log. */
  waiting(): { readonly labels: DestinationLabels; readonly bytes: number; readonly lagS: number }[];
};

export type AccountingLogsOptions = {
  /** The folder of all workers' logs, and the name of this one's in it. */
  readonly root: string;
  readonly own: string;
  /** Names of the folders that running workers have; this one looks after all others. Null: another worker does. */
  readonly workers: ReadonlySet<string> | null;
  readonly keeping: Keeping;
  /** The Proxy-State of what is sent for a tenant. */
  mark(tenantId: number): Buffer;
  target(of: Destination): Target | undefined;
  /** What the destination is called, undefined when it is no longer known. */
  nameOf(of: Destination): string | undefined;
  readonly metrics: ProxyMetrics;
  nowMs(): number;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  readonly adoptEveryMs?: number;
};

type Open = { readonly log: AccountingLog; readonly labels: DestinationLabels };

export function createAccountingLogs(options: AccountingLogsOptions): AccountingLogs {
  const { root, own, workers, keeping, mark, metrics, nowMs, warn, adoptEveryMs = 60_000 } = options;
  const logs = new Map<string, Promise<Open>>();
  const opened = new Map<string, Open>();
  let timer: NodeJS.Timeout | undefined;
  let adopting = Promise.resolve();

  function open(owner: string, name: string, of: Destination): Promise<Open> {
    const key = path.join(owner, name);
    const known = logs.get(key);
    if (known) return known;
    const labels = { tenant: String(of.tenantId), destination: options.nameOf(of) ?? name };
    const opening = openAccountingLog({
      ...{ keeping, nowMs, mark: mark(of.tenantId), folder: path.join(root, owner, name) },
      target: () => options.target(of),
      metrics: metrics.ofDestination(labels),
      problem: (error) => warn('accounting that waits to be forwarded cannot be read', { log: key, err: error }),
      refused: () =>
        warn('a home server leaves a record of accounting unanswered and takes others: it is lost', { log: key }),
    }).then(async (log) => {
      await log.start();
      const one = { log, labels };
      opened.set(key, one);
      return one;
    });
    logs.set(key, opening);
    // The next record, or the next look, tries again.
    opening.catch(() => logs.delete(key));
    return opening;
  }

  async function openAllOf(owner: string): Promise<void> {
    for (const name of await foldersIn(path.join(root, owner))) {
      const of = destinationOf(name);
      if (!of) continue;
      try {
        await open(owner, name, of);
      } catch (error) {
        if (!(error instanceof WalInUse)) warn('a log of accounting cannot be opened', { log: name, err: error });
      }
    }
  }

  /** Opens what others left behind, and clears away what is empty of it. */
  async function adopt(): Promise<void> {
    for (const owner of await foldersIn(root)) {
      if (owner === own || workers?.has(owner)) continue;
      await openAllOf(owner);
      for (const [key, opening] of [...logs]) {
        if (path.dirname(key) !== owner) continue;
        const { log } = await opening;
        if (log.backlogBytes() > 0 || log.lagMs() > 0) continue;
        await log.stop();
        logs.delete(key);
        opened.delete(key);
        await rm(path.join(root, key), { recursive: true, force: true });
      }
      if ((await foldersIn(path.join(root, owner))).length === 0) await rm(path.join(root, owner), { recursive: true });
    }
  }

  function adoptSoon(): void {
    adopting = adopting
      .then(adopt)
      .catch((error) => warn('accounting that other workers left cannot be looked after', { err: error }));
  }

  return {
    name: 'accounting to forward',
    append: async (to, record) => {
      const { log } = await open(own, nameOfLog(to), to);
      await log.append(record);
    },
    waiting: () =>
      [...opened.values()].map(({ log, labels }) => ({
        labels,
        bytes: log.backlogBytes(),
        lagS: log.lagMs() / 1000,
      })),
    async start() {
      await mkdir(path.join(root, own), { recursive: true, mode: 0o700 });
      await openAllOf(own);
      if (!workers) return;
      adoptSoon();
      timer ??= setInterval(adoptSoon, adoptEveryMs);
    },
    async stop() {
      clearInterval(timer);
      await adopting;
      const settled = await Promise.allSettled(logs.values());
      logs.clear();
      opened.clear();
      await Promise.all(settled.map((one) => (one.status === 'fulfilled' ? one.value.log.stop() : undefined)));
    },
  };
}

function nameOfLog({ tenantId, kind, id }: Destination): string {
  return `${kind}-${tenantId}-${id}`;
}

function destinationOf(name: string): Destination | undefined {
  const [, kind, tenantId, id] = /^(realm|copy)-(\d{1,16})-(\d{1,16})$/.exec(name) ?? [];
  return kind ? { kind: kind as Destination['kind'], tenantId: Number(tenantId), id: Number(id) } : undefined;
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
