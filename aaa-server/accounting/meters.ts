// Tells the ledger of a switch of the meter as soon as the feed brings it: flow usage comes without what the snapshot knows.
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Ledger } from '#policy/ledger/ledger.ts';
import type { SnapshotReader } from '../subscribers/records.ts';

export type MetersOptions = {
  ledger: Pick<Ledger, 'setMeter'>;
  snapshot: Pick<SnapshotReader, 'subscription'>;
  log: Logger;
  retryMs?: number;
};

export type Meters = Part & {
  /** A subscription may have another meter. */
  changed(tenantId: number, subscriptionId: number): void;
};

/** Accounting calls bring the meter too: what is lost here with the process comes with the next interim. */
export function createMeters({ ledger, snapshot, log, retryMs = 2000 }: MetersOptions): Meters {
  const waiting = new Map<string, { readonly tenantId: number; readonly subscriptionId: number }>();
  let telling: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failed = false;
  let stopped = false;

  async function tell(): Promise<void> {
    for (const [key, who] of waiting) {
      if (stopped) return;
      const found = snapshot.subscription(who.tenantId, who.subscriptionId);
      // RADIUS since ever is what the ledger takes for granted.
      const isNews = found && (found.meter !== 'radius' || found.meterSinceMs !== null);
      if (isNews) await ledger.setMeter(who, found.meter, found.meterSinceMs);
      waiting.delete(key);
    }
    if (failed) log.info('the ledger was told of switches of the meter');
    failed = false;
  }

  function begin(): void {
    timer = undefined;
    telling = tell()
      .catch((error: unknown) => {
        if (!failed) log.warn({ err: error }, 'the ledger could not be told of a switch of the meter: again and again');
        failed = true;
      })
      .finally(() => {
        telling = undefined;
        if (waiting.size > 0 && !stopped) timer ??= setTimeout(begin, failed ? retryMs : 0);
      });
  }

  return {
    name: 'meters',
    changed(tenantId, subscriptionId) {
      waiting.set(`${tenantId}:${subscriptionId}`, { tenantId, subscriptionId });
      if (!telling && !stopped) timer ??= setTimeout(begin, 0);
    },
    async start() {},
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await telling;
    },
  };
}
