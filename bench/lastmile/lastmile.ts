// Lastmile as an operator runs it, `npm start` with embedded stores and the seed's subscribers, as a server under test.
import { createKeyring } from '#ops/runtime/keyring.ts';
import { openDataFolder, readRecord, secretKeysOf } from '#ops/stores/data-folder.ts';
import { postgresUrl } from '#ops/stores/embedded/postgres.ts';
import { postgresRecord } from '#ops/stores/embedded/postgres-place.ts';
import { type RedisRecord, redisUrl } from '#ops/stores/embedded/redis.ts';
import { type Stack, startStack } from '#test/support/stack.ts';
import { until } from '#test/support/wait.ts';
import type { Target } from '../radius/target.ts';
import { metricSum } from './metrics.ts';
import { subscribersOf } from './subscribers.ts';
import { usageTotal } from './usage-total.ts';

export type Lastmile = {
  /** Only one at a time; the data stays from one to the next. */
  start(workers: number): Promise<LastmileTarget>;
  /** Removes the data folder. */
  remove(): Promise<void>;
};

export type LastmileTarget = Target & { readonly stack: Stack };

const countedWithinMs = 600_000;

/** @param folder made by the first start; `subscribers` are added then */
export function createLastmile(folder: string, subscribers: number, say: (line: string) => void): Lastmile {
  const teardowns: (() => unknown)[] = [];
  let seeded = false;

  async function start(workers: number): Promise<LastmileTarget> {
    const stack = await startStack(
      { teardown: (handler) => teardowns.push(handler) },
      { LASTMILE_DATA_DIR: folder, AAA_WORKERS: String(workers) },
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
    const data = openDataFolder(folder);
    const postgres = postgresRecord(data);
    const redis = readRecord<RedisRecord>(data, 'redis');
    if (!postgres || !redis) throw new Error('the stores of the stack left no record of themselves');
    const known = await subscribersOf(postgresUrl(postgres), subscribers);
    const keyring = createKeyring(secretKeysOf(data));
    const applied = () => metricSum(stack.aaaAdminUrl, 'lastmile_accounting_results_total', 'result="applied"');
    let counted = await applied();
    return {
      name: `Lastmile, ${workers} worker${workers === 1 ? '' : 's'}`,
      stack,
      authPort: portOf(stack.authTarget),
      acctPort: portOf(stack.acctTarget),
      durability: 'fdatasync before the answer; then counted in Redis, appendfsync always',
      accounts: { ...known, classKey: keyring.derive('class').toString('hex') },
      async whenCounted(records) {
        counted += records;
        await until(
          async () => (await applied()) >= counted,
          () => `${records} records are counted; the stack printed:\n${stack.output()}`,
          countedWithinMs,
        );
      },
      total: () => usageTotal(redisUrl(redis), known),
      output: stack.output,
      stop: stack.stop,
    };
  }

  return {
    start,
    remove: async () => {
      for (const teardown of teardowns.toReversed()) await teardown();
    },
  };
}

function portOf(target: string): number {
  return Number(target.split(':')[1]);
}
