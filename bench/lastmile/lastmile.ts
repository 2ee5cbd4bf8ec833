// Lastmile as an operator runs it, `npm start` with embedded stores and the seed's subscribers, as a server under test.
import { createKeyring } from '#ops/runtime/keyring.ts';
import { type StoreAddresses, storeAddresses } from '#ops/stores/addresses.ts';
import { type Stack, startStack } from '#test/support/stack.ts';
import { until } from '#test/support/wait.ts';
import type { Target } from '../radius/target.ts';
import { footprintOf } from './footprint.ts';
import { readMetrics } from './metrics.ts';
import { subscribersOf } from './subscribers.ts';
import { usageTotal } from './usage-total.ts';

export type Lastmile = {
  /** Only one at a time; the data stays from one to the next. */
  start(workers: number, settings?: Readonly<Record<string, string>>): Promise<LastmileTarget>;
  /** Removes the data folder. */
  remove(): Promise<void>;
};

export type LastmileTarget = Target & { readonly stack: Stack; readonly stores: StoreAddresses };

const countedWithinMs = 600_000;

/**
 * @param folder made by the first start; `subscribers` are added then
 * @param profiles folder for a CPU profile of each thread, written when it ends; '' for none
 */
export function createLastmile(
  folder: string,
  subscribers: number,
  say: (line: string) => void,
  profiles = '',
): Lastmile {
  const teardowns: (() => unknown)[] = [];
  let seeded = false;

  async function start(workers: number, settings: Readonly<Record<string, string>> = {}): Promise<LastmileTarget> {
    const stack = await startStack(
      { teardown: (handler) => teardowns.push(handler) },
      {
        ...{ LASTMILE_DATA_DIR: folder, AAA_WORKERS: String(workers), FLOW_WORKERS: '1' },
        ...{ ...profiling(profiles), ...settings },
      },
    );
    if (!seeded) {
      say(`adding ${subscribers} subscribers to Lastmile`);
      await stack.seed(subscribers);
      seeded = true;
    }
    await until(
      async () => (await fetch(`${stack.aaaAdminUrl}/readyz`)).ok,
      () => `aaa-server is ready; it printed:\n${stack.output()}`,
      120_000,
    );
    const stores = storeAddresses({ LASTMILE_DATA_DIR: folder });
    const known = await subscribersOf(stores.databaseUrl, subscribers);
    const keyring = createKeyring(stores.secretKeys);
    const backlog = async () => (await readMetrics(stack.aaaAdminUrl)).sum('lastmile_accounting_backlog_bytes');
    const target: LastmileTarget = {
      name: `Lastmile, ${workers} worker${workers === 1 ? '' : 's'}`,
      stack,
      stores,
      authPort: portOf(stack.authTarget),
      acctPort: portOf(stack.acctTarget),
      durability: 'synced write (O_DSYNC) before the answer; then counted in Redis, appendfsync always',
      accounts: { ...known, classKey: keyring.derive('class').toString('hex') },
      async whenCounted(records) {
        // Twice, because a log tells with its next look what has come since the last one.
        let looks = 0;
        await until(
          async () => {
            looks = (await backlog()) === 0 ? looks + 1 : 0;
            return looks === 2;
          },
          () => `${records} records are counted; the stack printed:\n${stack.output()}`,
          countedWithinMs,
          // Asking costs the server as well.
          250,
        );
      },
      async unanswered() {
        const metrics = await readMetrics(stack.aaaAdminUrl);
        const dropped = (label?: string) => metrics.sum('lastmile_radius_dropped_total', label);
        return {
          overload: dropped('reason="overload"'),
          hashBusy: dropped('reason="password_hash_busy"'),
          all: dropped(),
        };
      },
      total: () => usageTotal(stores.redisUrl, known),
      footprint: () => footprintOf(target, subscribers),
      output: stack.output,
      stop: stack.stop,
    };
    return target;
  }

  return {
    start,
    remove: async () => {
      for (const teardown of teardowns.toReversed()) await teardown();
    },
  };
}

/** What makes Node profile each thread into this folder; nothing for ''. */
export function profiling(folder: string): Record<string, string> {
  return folder === '' ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder}` };
}

function portOf(target: string): number {
  return Number(target.split(':')[1]);
}
