// Where this node's stores are, for the commands that work beside a running `npm start`.
import Type, { type Static } from 'typebox';
import { InvalidSettings } from '#ops/runtime/errors.ts';
import { type Environment, readSettings } from '#ops/runtime/settings.ts';
import { type DataFolder, openDataFolder, readRecord, secretKeysOf } from './data-folder.ts';
import { type ClickHouseRecord, clickHouseUrl } from './embedded/clickhouse.ts';
import { postgresUrl } from './embedded/postgres.ts';
import { postgresRecord } from './embedded/postgres-place.ts';
import { type RedisRecord, redisUrl } from './embedded/redis.ts';
import { storeSettings } from './settings.ts';

export type StoreAddresses = {
  folder: DataFolder;
  /** As the owner. */
  databaseUrl: string;
  redisUrl: string;
  /** '' when this node has none. */
  clickhouseUrl: string;
  secretKeys: string[];
};

const schema = Type.Object(storeSettings);

/** @throws with the remedy when a setting is wrong or an embedded store was never started. */
export function storeAddresses(environment: Environment): StoreAddresses {
  const settings = readSettings(schema, environment);
  const folder = openDataFolder(settings.LASTMILE_DATA_DIR);
  const postgres = postgresRecord(folder);
  const redis = readRecord<RedisRecord>(folder, 'redis');
  const databaseUrl = settings.DATABASE_URL || (postgres && postgresUrl(postgres));
  const redisAddress = settings.REDIS_URL || (redis && redisUrl(redis));
  if (!databaseUrl || !redisAddress) {
    throw new Error(`${folder.path} has no stores yet: run \`npm start\` first, or set DATABASE_URL and REDIS_URL`);
  }
  const clickhouse = readRecord<ClickHouseRecord>(folder, 'clickhouse');
  const clickhouseUrl = settings.CLICKHOUSE_URL || (clickhouse ? clickHouseUrl(clickhouse) : '');
  return { folder, databaseUrl, redisUrl: redisAddress, clickhouseUrl, secretKeys: secretKeys(settings, folder) };
}

/** The key ring's masters: set, or the data folder's own, which is only enough while the database is this node's too. */
export function secretKeys(settings: Static<typeof schema>, folder: DataFolder): string[] {
  const keys = settings.LASTMILE_SECRET_KEY ?? [];
  if (keys.length > 0) return keys;
  if (settings.DATABASE_URL !== '') throw new InvalidSettings([secretKeyMissing]);
  return secretKeysOf(folder);
}

export const secretKeyMissing =
  'LASTMILE_SECRET_KEY is required with DATABASE_URL: the secrets in that database outlive this data folder (make one with `openssl rand -base64 32`)';
