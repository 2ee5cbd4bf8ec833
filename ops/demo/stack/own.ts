// A Lastmile of the demo's own: the program of `npm start`, in a temporary data folder unless one is set, without its log lines.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { messageOf } from '#ops/runtime/errors.ts';
import type { Environment } from '#ops/runtime/settings.ts';
import { assertPortFree } from '#ops/runtime/udp.ts';
import { openDataFolder } from '#ops/stores/data-folder.ts';
import { freePort, isFree } from '#ops/stores/embedded/ports.ts';
import { homeOutside } from '#ops/stores/embedded/postgres-place.ts';
import { checkedSettings } from '#ops/up/check.ts';
import { processes } from '#ops/up/environment.ts';
import { repository } from '#ops/up/node-process.ts';
import { settings } from '#ops/up/settings.ts';
import { createStack } from '#ops/up/stack.ts';
import { type Lastmile, lastmileOf } from './lastmile.ts';

export type OwnStack = {
  /** Resolves when it serves. */
  start(): Promise<Lastmile>;
  stop(): Promise<void>;
  /** Ends it at once. */
  abandon(): void;
};

export type OwnStackOptions = {
  readonly environment: Environment;
  say(line: string): void;
  /** A process logged an error, or died. */
  trouble(text: string): void;
};

const ports = {
  HTTP_PORT: 'tcp',
  AAA_ADMIN_PORT: 'tcp',
  FLOW_ADMIN_PORT: 'tcp',
  RADIUS_AUTH_PORT: 'udp',
  RADIUS_ACCT_PORT: 'udp',
  NETFLOW_PORT: 'udp',
} as const;

export function createOwnStack({ environment, say, trouble }: OwnStackOptions): OwnStack {
  let temporary: string | undefined;
  let stopping: Promise<void> | undefined;
  let stack: ReturnType<typeof createStack> | undefined;

  /** With PostgreSQL's data, which lies elsewhere when its user cannot reach the folder. */
  function removeFolder(): void {
    if (temporary === undefined || !existsSync(temporary)) return;
    for (const place of [homeOutside(openDataFolder(temporary)), temporary]) removeWholly(place);
  }

  return {
    async start() {
      if (!environment.LASTMILE_DATA_DIR) temporary = mkdtempSync(path.join(tmpdir(), 'lastmile-demo-'));
      const given = {
        ...environment,
        ...(temporary ? { LASTMILE_DATA_DIR: temporary } : {}),
        ...(await freePorts(environment)),
      };
      const present = processes.filter(({ script }) => existsSync(path.join(repository, script)));
      const checked = await checkedSettings(given, present);
      if (stopping) throw new Error('stopped before the start');
      stack = createStack({
        settings: checked,
        given,
        processes: present,
        say,
        logged: (line) => reportError(line, trouble),
      });
      await stack.start();
      return lastmileOf(given, true);
    },
    stop() {
      stopping ??= (stack?.stop() ?? Promise.resolve()).then(removeFolder);
      return stopping;
    },
    abandon() {
      stack?.abandon();
      try {
        removeFolder();
      } catch (error) {
        say(`${temporary} could not be removed: ${messageOf(error)}`);
      }
    },
  };
}

/** A server that was just killed may still write and delete: what it deletes first ends a removal without an error. */
function removeWholly(place: string): void {
  for (let attempt = 0; attempt < 20 && existsSync(place); attempt++) {
    if (attempt > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    rmSync(place, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
  if (existsSync(place)) throw new Error('something still writes there');
}

/** Where a port is taken and nobody has asked for it, another one serves. */
async function freePorts(environment: Environment): Promise<Record<string, string>> {
  const chosen: Record<string, string> = {};
  for (const [name, kind] of Object.entries(ports)) {
    if (environment[name]) continue;
    const usual = Number((settings.properties[name as keyof typeof ports] as { default?: unknown }).default);
    if (!(await isPortFree(kind, usual))) chosen[name] = String(await freePort());
  }
  return chosen;
}

async function isPortFree(kind: 'tcp' | 'udp', port: number): Promise<boolean> {
  if (kind === 'tcp') return isFree(port);
  return assertPortFree(['127.0.0.1'], port).then(
    () => true,
    () => false,
  );
}

type LogEntry = { level?: unknown; process?: unknown; msg?: unknown; err?: { message?: unknown } };

/** Of the log of a process what is an error; what else a process says is its last words, or a warning of Node. */
function reportError(line: string, trouble: (text: string) => void): void {
  const entry = logEntry(line);
  if (!entry && line.trim() !== '' && !/^\((node:|Use )/.test(line)) trouble(line);
  if (entry?.level !== 'error' && entry?.level !== 'fatal') return;
  trouble(`${String(entry.process)}: ${String(entry.msg)}${entry.err ? ` (${String(entry.err.message)})` : ''}`);
}

function logEntry(line: string): LogEntry | undefined {
  try {
    return line.startsWith('{') ? (JSON.parse(line) as LogEntry) : undefined;
  } catch {
    return undefined; // Not a line of the log.
  }
}
