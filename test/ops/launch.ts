// Starts `npm start` with stand-in processes as an operator would, in a folder and on ports of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '#ops/stores/embedded/ports.ts';
import { until } from '#test/support/wait.ts';

export const repository = path.resolve(import.meta.dirname, '../..');

export type Launched = {
  child: ChildProcess;
  output(): string;
  /** Resolves when it has printed the text; fails when it ends before. */
  printed(text: string | RegExp): Promise<void>;
  /** The exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>;
  environment: Record<string, string>;
};

type Teardown = { teardown(handler: () => unknown): unknown };

/** `mode` decides whether PostgreSQL's user can pass through it. */
export function temporaryFolder(t: Teardown, mode = 0o711): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-up-'));
  chmodSync(folder, mode);
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function settingsFor(dataDir: string): Promise<Record<string, string>> {
  const ports: Record<string, string> = {};
  for (const name of ['HTTP_PORT', 'AAA_ADMIN_PORT', 'FLOW_ADMIN_PORT', 'NETFLOW_PORT'])
    ports[name] = String(await freePort());
  return { LASTMILE_DATA_DIR: dataDir, ...ports };
}

/** `shared`: the data folder is another launch's, which cleans it up. */
export function launch(
  t: Teardown,
  environment: Record<string, string>,
  options: { uid?: number; gid?: number; script?: string; shared?: boolean } = {},
): Launched {
  const { script = 'test/ops/fixtures/up.ts', shared = false, ...identity } = options;
  let text = '';
  const child = spawn(process.execPath, [path.join(repository, 'ops/run.mjs'), path.join(repository, script)], {
    cwd: '/',
    env: { PATH: process.env.PATH, HOME: '/', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...identity,
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += chunk;
    });
  }
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 0));
  });
  t.teardown(async () => {
    child.kill('SIGTERM');
    await ended;
    const dataDir = environment.LASTMILE_DATA_DIR;
    if (dataDir && !shared) await noServersBelow(dataDir, 'SIGKILL');
  });
  return {
    child,
    output: () => text,
    ended,
    environment,
    printed: async (wanted) => {
      await until(
        () => {
          if (typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text)) return true;
          if (child.exitCode !== null || child.signalCode !== null) throw new Error('it ended before');
          return false;
        },
        () => `${wanted} is printed; so far:\n${text}`,
        30_000,
      );
    },
  };
}

/** The servers that work in the folder or below it. */
export function serversBelow(folder: string): { pid: number; program: string }[] {
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) return [];
    try {
      const directory = readlinkSync(`/proc/${pid}/cwd`);
      if (directory !== folder && !directory.startsWith(`${folder}/`)) return [];
      return [{ pid, program: path.basename(readFileSync(`/proc/${pid}/comm`, 'utf8').trim()) }];
    } catch {
      return []; // Gone meanwhile, or another user's.
    }
  });
}

export async function noServersBelow(folder: string, signal?: NodeJS.Signals): Promise<void> {
  if (signal) {
    for (const { pid } of serversBelow(folder)) {
      try {
        process.kill(pid, signal);
      } catch {
        // Gone meanwhile.
      }
    }
  }
  await until(
    () => serversBelow(folder).length === 0,
    () => `nothing runs in ${folder}`,
    15_000,
  );
}
