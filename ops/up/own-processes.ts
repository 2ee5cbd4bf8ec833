// The product's own processes: each starts with its settings and the sockets that are held for it, and may be replaced while it serves.
import { messageOf } from '#ops/runtime/errors.ts';
import type { Environment } from '#ops/runtime/settings.ts';
import type { ControlOutcome, ControlRequest } from './control-socket.ts';
import { environmentOf, type ProcessDefinition, type ProcessName, type SharedFacts } from './environment.ts';
import { createHeldSockets, type HeldSockets } from './held-sockets.ts';
import { repository, type Version } from './node-process.ts';
import { reachableHost } from './ready.ts';
import { createReplaceable, NotReplaced, type Replaceable } from './replaceable.ts';
import { restart } from './restart.ts';
import type { Settings } from './settings.ts';
import type { Supervised } from './supervise.ts';
import { socketWishes } from './wishes.ts';

type Definition = ProcessDefinition & { name: ProcessName };

export type OwnProcessesOptions = {
  settings: Settings;
  given: Environment;
  processes: readonly Definition[];
  /** Known when the stores serve. */
  facts(): SharedFacts;
  say(line: string): void;
  /** A line that a process printed. */
  logged(line: string): void;
};

export type OwnProcesses = {
  /** Undefined when there is no such process. */
  supervised(name: ProcessName): Supervised | undefined;
  /** A new one takes the place of the running one. */
  restart(request: ControlRequest, tell: (line: string) => void): Promise<ControlOutcome>;
  /** Gives the ports back. */
  close(): void;
};

type Running = {
  readonly definition: Definition;
  readonly replaceable: Replaceable;
  readonly sockets: HeldSockets;
  /** What it was started with. */
  given: Environment;
};

export function createOwnProcesses(options: OwnProcessesOptions): OwnProcesses {
  const { settings, given, processes, facts, say, logged } = options;
  const running = new Map<string, Running>();

  /** Opened before the process: nothing that is sent to it is lost while it starts. */
  async function socketsFor(name: ProcessName, sockets: HeldSockets): Promise<Version['sockets']> {
    try {
      const prepared = await sockets.prepare(socketWishes(name, settings));
      try {
        await prepared.bind();
      } catch (error) {
        prepared.discard();
        throw error;
      }
      prepared.keep();
      return prepared.sockets;
    } catch (error) {
      // It tries by itself and says what is wrong.
      say(`the sockets of ${name} could not be opened for it: ${messageOf(error)}`);
      return [];
    }
  }

  async function change({ definition, ...process }: Running, request: ControlRequest, tell: (line: string) => void) {
    const { name, script } = definition;
    return restart(
      { ...request, process: name },
      {
        ...{ ...process, definition, say: tell },
        versionOf: (asked, own, folder) => ({
          ...{ repository: folder, script },
          environment: environmentOf(name, asked, own, facts()),
        }),
        readyUrl: (own) => readyUrl(name, own),
      },
    );
  }

  return {
    supervised(name) {
      const definition = processes.find((process) => process.name === name);
      if (!definition) return undefined;
      const sockets = createHeldSockets();
      const replaceable = createReplaceable({
        name,
        line: logged,
        async versionOf(former) {
          const environment = environmentOf(name, given, settings, facts());
          const version = former ?? { repository, script: definition.script, environment };
          return { ...version, sockets: definition.replaceable ? await socketsFor(name, sockets) : [] };
        },
      });
      running.set(name, { definition, replaceable, sockets, given });
      return replaceable;
    },
    async restart(request, tell) {
      const process = running.get(request.restart);
      if (!process?.definition.replaceable) {
        const known = [...running.values()].filter(({ definition }) => definition.replaceable);
        const names = known.map(({ definition }) => definition.name).join(', ');
        return { ok: false, serves: 'former untouched', problem: `it is none of: ${names}` };
      }
      const both = (line: string) => {
        say(line);
        tell(line);
      };
      try {
        const { given: now, unreadMs } = await change(process, request, both);
        process.given = now;
        both(`${request.restart}: the new one serves; requests waited for ${Math.round(unreadMs)} ms`);
        return { ok: true, unreadMs };
      } catch (error) {
        if (!(error instanceof NotReplaced)) throw error;
        say(`${request.restart} was not replaced: ${error.message}`);
        return { ok: false, problem: error.message, serves: error.serves };
      }
    },
    close() {
      for (const { sockets } of running.values()) sockets.close();
    },
  };
}

export function readyUrl(name: ProcessName, settings: Settings): string {
  const ports = {
    'aaa-server': settings.AAA_ADMIN_PORT,
    'flow-collector': settings.FLOW_ADMIN_PORT,
    'control-api': settings.HTTP_PORT,
  };
  return `http://${reachableHost(settings.BIND_HOST[0])}:${ports[name]}/readyz`;
}
