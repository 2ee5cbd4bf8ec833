// One of our own processes as a child: its lines go to the terminal, it stops when we are gone, and a new one can take its place.
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { type HandedSocket, handedSocketsVariable } from '#ops/runtime/handed-sockets.ts';
import {
  type FromSupervisor,
  type SupervisedAs,
  supervisedVariable,
  type ToSupervisor,
} from '#ops/runtime/succession.ts';

/** What is run: the code of a folder with these settings and sockets. */
export type Version = {
  /** Where the project lies. */
  readonly repository: string;
  /** Relative to it. */
  readonly script: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Sockets that we have opened for it. */
  readonly sockets: readonly HandedSocket[];
};

export type NodeChild = {
  /** Whether it runs still. */
  alive(): boolean;
  /** Resolves with the reason when it has ended. */
  readonly ended: Promise<string>;
  /** Resolves when it says so; rejects with the reason when it ends before. */
  says(what: ToSupervisor['type']): Promise<void>;
  tell(order: FromSupervisor['type']): void;
  /** Asks it to end, and ends it when it takes longer than `patienceMs`. */
  end(order: 'SIGTERM' | 'release', patienceMs: number): Promise<void>;
  kill(): void;
};

export const repository = path.resolve(import.meta.dirname, '../..');

/** Arguments that run a script the way `npm start` does. */
export const nodeArguments = (script: string, rest: readonly string[] = [], folder = repository) => [
  `--import=${path.join(folder, 'ops/up/end-with-supervisor.mjs')}`,
  path.join(folder, 'ops/run.mjs'),
  path.resolve(folder, script),
  ...rest,
];

/** Descriptors of a child before the sockets: input, output, errors and the channel. */
const firstSocket = 4;

/** @param standsBy it prepares, and starts when it is told to go */
export function startChild(version: Version, standsBy: boolean, line: (line: string) => void): Promise<NodeChild> {
  const handed = version.sockets.map((socket, index) => ({ ...socket, fd: firstSocket + index }));
  return new Promise((resolve, reject) => {
    // Its own process group: Ctrl-C reaches only us, and we stop things in order.
    const child = spawn(process.execPath, nodeArguments(version.script, [], version.repository), {
      cwd: version.repository,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', ...version.sockets.map(({ fd }) => fd)],
      env: {
        ...version.environment,
        ...(handed.length > 0 ? { [handedSocketsVariable]: JSON.stringify(handed) } : {}),
        [supervisedVariable]: (standsBy ? 'stand-by' : 'start') satisfies SupervisedAs,
      },
    });
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', line);
    }
    child.once('error', reject);
    child.once('spawn', () => resolve(nodeChild(child)));
  });
}

function nodeChild(child: ChildProcess): NodeChild {
  const said = new Set<string>();
  const alive = () => child.exitCode === null && child.signalCode === null;
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ? `killed by ${signal}` : `exit code ${code}`));
  });
  child.on('message', (message: ToSupervisor) => said.add(message.type));
  const tell = (order: FromSupervisor['type']) =>
    // One that has just ended is told nothing: its end is seen elsewhere.
    void child.send?.({ type: order } satisfies FromSupervisor, () => undefined);

  return {
    alive,
    ended,
    tell,
    says: (what) =>
      new Promise((resolve, reject) => {
        if (said.has(what)) return resolve();
        const hear = (message: ToSupervisor) => {
          if (message.type !== what) return;
          child.off('message', hear);
          resolve();
        };
        child.on('message', hear);
        void ended.then((reason) => {
          child.off('message', hear);
          reject(new Error(reason));
        });
      }),
    async end(order, patienceMs) {
      if (!alive()) return;
      if (order === 'release') tell('release');
      else child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
      await ended;
      clearTimeout(timer);
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
