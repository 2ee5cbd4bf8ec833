// The rolling restart of one process: its settings are checked and its successor is prepared while it serves; then they change places.
import { messageOf } from '#ops/runtime/errors.ts';
import type { Environment } from '#ops/runtime/settings.ts';
import { storeSettings } from '../stores/settings.ts';
import { checkedSettings } from './check.ts';
import type { ProcessDefinition, ProcessName } from './environment.ts';
import { failingBefore, provesReady } from './failing-checks.ts';
import type { HeldSockets } from './held-sockets.ts';
import type { Version } from './node-process.ts';
import { NotReplaced, type Replaceable } from './replaceable.ts';
import type { Settings } from './settings.ts';
import { socketWishes } from './wishes.ts';

export type RestartRequest = {
  readonly process: string;
  /** In place of those of before; '' takes one back to its default. */
  readonly settings: Readonly<Record<string, string>>;
  /** Where the code lies that is to run. */
  readonly repository: string;
};

export type RestartDeps = {
  readonly definition: ProcessDefinition & { name: ProcessName };
  readonly given: Environment;
  readonly replaceable: Replaceable;
  readonly sockets: HeldSockets;
  versionOf(given: Environment, settings: Settings, repository: string): Omit<Version, 'sockets'>;
  readyUrl(settings: Settings): string;
  say(line: string): void;
};

export type Restarted = { readonly given: Environment; readonly settings: Settings; readonly unreadMs: number };

/** What the stores and everything beside them were started with. */
const ofTheWhole = new Set(Object.keys(storeSettings));
const proveWithinMs = 20_000;

/** @throws {NotReplaced} */
export async function restart(request: RestartRequest, deps: RestartDeps): Promise<Restarted> {
  const { definition, replaceable, sockets, say } = deps;
  const given = { ...deps.given, ...request.settings };
  const settings = await checked(request, deps, given);
  const prepared = await sockets.prepare(socketWishes(definition.name, settings)).catch(untouched);
  const url = deps.readyUrl(settings);
  const before = await failingBefore(url);
  let bound = false;
  try {
    const { unreadMs } = await replaceable.replace(
      { ...deps.versionOf(given, settings, request.repository), sockets: prepared.sockets },
      {
        say,
        async beforeSwitch() {
          await prepared.bind();
          bound = true;
        },
        betweenBoth: prepared.share,
        prove: () => provesReady(url, before, proveWithinMs),
        retreat: prepared.retreat,
      },
    );
    prepared.keep();
    return { given, settings, unreadMs };
  } catch (error) {
    if (!bound) prepared.discard();
    throw error;
  }
}

async function checked(request: RestartRequest, deps: RestartDeps, given: Environment): Promise<Settings> {
  const fixed = Object.keys(request.settings).filter(
    (name) => ofTheWhole.has(name.replace(/_FILE$/, '')) && request.settings[name] !== (deps.given[name] ?? ''),
  );
  if (fixed.length > 0) {
    const names = fixed.join(', ');
    throw new NotReplaced('former untouched', `${names}: only a stop and a start of \`npm start\` can change that`);
  }
  return checkedSettings(given, [{ ...deps.definition, repository: request.repository }]).catch(untouched);
}

function untouched(error: unknown): never {
  throw new NotReplaced('former untouched', messageOf(error));
}
