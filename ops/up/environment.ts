// What each process of `npm start` gets to know: its own addresses and keys, nobody else's.
import os from 'node:os';
import type { Environment } from '#ops/runtime/settings.ts';
import type { Settings } from './settings.ts';

export type ProcessDefinition = {
  name: string;
  script: string;
  /** The supervisor opens its sockets for it, and another version can take its place. */
  replaceable?: boolean;
};

export const processes = [
  { name: 'aaa-server', script: 'aaa-server/main.ts', replaceable: true },
  { name: 'flow-collector', script: 'flow-collector/main.ts', replaceable: true },
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

/** Secrets that only the processes named may see; `NAME_FILE` is the same secret. */
const onlyFor: Readonly<Record<string, readonly ProcessName[]>> = {
  DATABASE_URL: [],
  APP_DATABASE_URL: ['control-api'],
  ADMIN_PASSWORD: ['control-api'],
  SMTP_URL: ['control-api'],
  TLS_KEY: ['control-api'],
  FEED_DATABASE_URL: ['aaa-server', 'flow-collector'],
  EAP_TLS_KEY: ['aaa-server'],
  // What reads datagrams of anybody decrypts nothing.
  LASTMILE_SECRET_KEY: ['aaa-server', 'control-api'],
};

export function environmentOf(
  name: ProcessName,
  given: Environment,
  settings: Settings,
  facts: SharedFacts,
): Record<string, string> {
  const own: Record<string, string> = {
    LASTMILE_DATA_DIR: facts.dataDir,
    REDIS_URL: facts.redisUrl,
    CLICKHOUSE_URL: facts.clickhouseUrl,
    ...ownOf(name, settings, facts),
    ...(name === 'aaa-server' ? { NODE_OPTIONS: limitedYoungHeap(given), ...thriftyMalloc(given) } : {}),
  };
  const passed = Object.entries(given).filter(([key, value]) => {
    const setting = key.replace(/_FILE$/, '');
    return value !== undefined && !(setting in own) && (onlyFor[setting]?.includes(name) ?? true);
  });
  return { ...(Object.fromEntries(passed) as Record<string, string>), ...own };
}

function ownOf(name: ProcessName, settings: Settings, facts: SharedFacts): Record<string, string> {
  const feed = { FEED_DATABASE_URL: facts.feedDatabaseUrl };
  const keys = { LASTMILE_SECRET_KEY: facts.secretKeys.join(',') };
  switch (name) {
    case 'aaa-server':
      return { ...feed, ...keys, UV_THREADPOOL_SIZE: threadPoolSize(settings.AAA_WORKERS, 2) };
    case 'flow-collector':
      return { ...feed, UV_THREADPOOL_SIZE: threadPoolSize(settings.FLOW_WORKERS, 1) };
    case 'control-api':
      return { ...keys, APP_DATABASE_URL: facts.appDatabaseUrl, ADMIN_PASSWORD: facts.adminPassword };
    default:
      return name satisfies never;
  }
}

/** Each worker syncs its log in the pool of the whole process, and may hold a thread for a slow password hash; LMDB and files need some too. */
function threadPoolSize(workers: number, threadsOfEach: number): string {
  return String((workers || Math.min(4, os.availableParallelism())) * threadsOfEach + 8);
}

/** In MB, of the main thread: by default its young heap may grow to eight times of this. Its other threads say it for themselves. */
const semiSpace = 4;

function limitedYoungHeap({ NODE_OPTIONS = '' }: Environment): string {
  return `${NODE_OPTIONS} --max-semi-space-size=${semiSpace}`.trim();
}

/**
 * glibc gives threads places of their own to allocate in, and keeps more and more of what was freed in each. Two for all threads, which give back
 * what lies free at their end, hold a third of that.
 */
function thriftyMalloc({ MALLOC_ARENA_MAX = '2', MALLOC_TRIM_THRESHOLD_ = '131072' }: Environment) {
  return { MALLOC_ARENA_MAX, MALLOC_TRIM_THRESHOLD_ };
}
