// The stores of the commands that look after the ledger, connected as the operator of this node.
import { Client } from 'pg';
import Type from 'typebox';
import { messageOf } from '#ops/runtime/errors.ts';
import { type Environment, readSettings } from '#ops/runtime/settings.ts';
import { storeAddresses } from '#ops/stores/addresses.ts';
import { type ClickHouseClient, createClickHouse } from '#ops/stores/clickhouse.ts';
import type { DataFolder } from '#ops/stores/data-folder.ts';
import { connectRedis, type RedisClient } from '#ops/stores/redis.ts';
import { storeSettings } from '#ops/stores/settings.ts';

export type Stores = {
  readonly folder: DataFolder;
  readonly redis: RedisClient;
  readonly clickhouse: ClickHouseClient;
  readonly postgres: Client;
  /** The history is kept for ever: it has every byte there was. */
  readonly wholeHistory: boolean;
  close(): Promise<void>;
};

const timeoutMs = 10_000;
const longestQueryMs = 600_000;

/** @throws with the remedy when one of them is missing or does not answer. */
export async function connectStores(environment: Environment, name: string): Promise<Stores> {
  const { folder, databaseUrl, redisUrl, clickhouseUrl } = storeAddresses(environment);
  if (!clickhouseUrl) throw new Error('there is no ClickHouse: set CLICKHOUSE_URL, or run `npm ci` with its package');
  const { CLICKHOUSE_ACCOUNTING_TTL_DAYS } = readSettings(Type.Object(storeSettings), environment);
  const postgres = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5000, application_name: name });
  // The statement that was under way fails with the reason; without a listener it would end us before that.
  postgres.on('error', (error) => console.error(`${name}: ${messageOf(error)}`));
  await postgres.connect();
  const clickhouse = createClickHouse(clickhouseUrl, { name, requestTimeoutMs: longestQueryMs });
  let problem = '';
  try {
    const redis = await connectRedis({
      ...{ url: redisUrl, name, commandTimeoutMs: timeoutMs, signal: AbortSignal.timeout(timeoutMs) },
      onProblem: (text) => {
        problem = text;
      },
    });
    return {
      ...{ folder, redis, clickhouse, postgres },
      wholeHistory: CLICKHOUSE_ACCOUNTING_TTL_DAYS === 0,
      async close() {
        redis.disconnect();
        await Promise.all([clickhouse.close(), postgres.end()]);
      },
    };
  } catch (error) {
    await Promise.all([clickhouse.close(), postgres.end()]);
    throw new Error(`Redis does not answer: ${problem || messageOf(error)}`, { cause: error });
  }
}
