// What each process of `npm start` gets to know: its own addresses and keys, nobody else's.
import os from 'node:os';
import type { Environment } from '#ops/runtime/settings.ts';
import type { Settings } from './settings.ts';

export type ProcessDefinition = { name: string; script: string };

export const processes = [
  { name: 'aaa-server', script: 'aaa-server/main.ts' },
  { name: 'control-api', script: 'control-api/main.ts' },
] as const satisfies readonly ProcessDefinition[];

export type ProcessName = (typeof processes)[number]['name'];

export type SharedFacts = {
  dataDir: string;
  redisUrl: string;
  /** '' when there is none on this machine. */
  clickhouseUrl: string;
  appDatabaseUrl: string;
  feedDatabaseUrl: string;
  secretKeys: readonly string[];
  adminPassword: string;
};

/** Secrets that only the process named may see; `NAME_FILE` is the same secret. */
const onlyFor: Readonly<Record<string, ProcessName | undefined>> = {
  DATABASE_URL: undefined,
  APP_DATABASE_URL: 'control-api',
  ADMIN_PASSWORD: 'control-api',
  SMTP_URL: 'control-api',
  TLS_KEY: 'control-api',
  FEED_DATABASE_URL: 'aaa-server',
};

export function environmentOf(
  name: ProcessName,
  given: Environment,
  settings: Settings,
  facts: SharedFacts,
): Record<string, string> {
  const own: Record<string, string> = {
    LASTMILE_DATA_DIR: facts.dataDir,
    LASTMILE_SECRET_KEY: facts.secretKeys.join(','),
    REDIS_URL: facts.redisUrl,
    CLICKHOUSE_URL: facts.clickhouseUrl,
    ...(name === 'aaa-server'
      ? { FEED_DATABASE_URL: facts.feedDatabaseUrl, UV_THREADPOOL_SIZE: String(threadPoolSize(settings)) }
      : { APP_DATABASE_URL: facts.appDatabaseUrl, ADMIN_PASSWORD: facts.adminPassword }),
  };
  const passed = Object.entries(given).filter(([key, value]) => {
    const setting = key.replace(/_FILE$/, '');
    return value !== undefined && !(setting in own) && (!(setting in onlyFor) || onlyFor[setting] === name);
  });
  return { ...(Object.fromEntries(passed) as Record<string, string>), ...own };
}

/** Each socket may hold one thread of the pool while it waits; fs and LMDB need some too. */
function threadPoolSize({ AAA_WORKERS, BIND_HOST }: Settings): number {
  const workers = AAA_WORKERS || Math.min(4, os.availableParallelism());
  return workers * 2 * BIND_HOST.length + 8;
}
