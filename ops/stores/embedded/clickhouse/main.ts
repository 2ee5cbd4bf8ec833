// The process that hosts the embedded ClickHouse: `node ops/run.mjs ops/stores/embedded/clickhouse/main.ts <directory>`.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { engineArguments } from './configuration.ts';
import { openEngine } from './engine.ts';
import { createClickHouseServer } from './server.ts';
import { insertLanes, readLanes, threadPoolSize } from './threads.ts';
import { mendTokens } from './tokens.ts';

/** `server.json` in the directory, written by whoever starts the process. */
export type ServerFile = { port: number; user: string; password: string; memoryBytes: number };

const stopPatienceMs = 10_000;
const directory = process.argv[2];
if (!directory) throw new Error('usage: main.ts <directory>');
if (Number(process.env.UV_THREADPOOL_SIZE) < threadPoolSize) {
  throw new Error(
    `UV_THREADPOOL_SIZE must be ${threadPoolSize} or more: else statements wait for each other's threads`,
  );
}

function die(error: unknown): never {
  console.error(`${new Date().toISOString()} fatal`, error);
  // SIGKILL: the engine's own exit would wait for statements that run.
  return process.kill(process.pid, 'SIGKILL') as never;
}

process.on('uncaughtException', die);
process.on('unhandledRejection', die);
// Whoever cleans up after an unclean stop finds the process by where it works.
process.chdir(directory);
const { port, user, password, memoryBytes } = JSON.parse(readFileSync('server.json', 'utf8')) as ServerFile;
const store = path.join(directory, 'store');
const revoked = mendTokens(store);
if (revoked > 0)
  console.log(`${new Date().toISOString()} ${revoked} inserts were cut off before their commit: their tokens are free`);
const engine = await openEngine({
  settings: { directory: store, engineArguments: engineArguments(directory, memoryBytes) },
  readLanes,
  insertLanes,
  waiting: 100,
  onDeath: die,
});
const server = createClickHouseServer({
  engine,
  credentials: { user, password },
  spoolFolder: path.join(directory, 'spool'),
});
server.once('error', die);
server.listen(port, '127.0.0.1', () => {
  console.log(`${new Date().toISOString()} ClickHouse ${engine.version} serves on port ${port}`);
});

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  await Promise.race([closed, delay(stopPatienceMs)]);
  server.closeAllConnections();
  const over = await Promise.race([
    engine.close().then(() => 'closed' as const),
    delay(stopPatienceMs, 'busy' as const),
  ]);
  console.log(
    `${new Date().toISOString()} ${over === 'closed' ? 'stopped' : 'stopped beside a statement that does not end'}`,
  );
  // An exit would wait for that statement; what was acknowledged is on disk.
  if (over === 'busy') process.kill(process.pid, 'SIGKILL');
  process.exit(0);
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop());
