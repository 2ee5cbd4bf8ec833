// A process of ours that another version can take the place of: the new one prepares itself, the old one finishes, the new one goes on.
import { messageOf } from '#ops/runtime/errors.ts';
import { type NodeChild, startChild, type Version } from './node-process.ts';
import type { Supervised } from './supervise.ts';

export type Replaceable = Supervised & {
  /**
   * @returns for how long nobody read the sockets.
   * @throws {NotReplaced} when the former version serves on or again, or serves no more.
   */
  replace(next: Version, steps: ReplaceSteps): Promise<{ unreadMs: number }>;
};

export type ReplaceSteps = {
  say(line: string): void;
  /** The new version is prepared, the old one still serves. Throws: it goes on doing so. */
  beforeSwitch(): Promise<void>;
  /** The old version has ended, the new one begins next. Throws: the former version is to be started again. */
  betweenBoth(): void;
  /** The new version runs. Throws when it does not serve as it should. */
  prove(): Promise<void>;
  /** The former version is to be started again: with which sockets. */
  retreat(): Version['sockets'];
  limits?: Partial<typeof defaultLimits>;
};

export class NotReplaced extends Error {
  /** What serves now. */
  readonly serves: 'former untouched' | 'former again' | 'nothing';
  constructor(serves: NotReplaced['serves'], message: string) {
    super(message);
    this.serves = serves;
  }
}

const defaultLimits = {
  /** To load its code and to be prepared. */
  prepareMs: 60_000,
  /** For the old version to finish what is under way. */
  releaseMs: 30_000,
  /** From the start of the new version until everything runs. */
  readyMs: 30_000,
};

const stopMs = 20_000;
/** For one that does not serve as it should. */
const giveUpMs = 5000;

export type ReplaceableOptions = {
  name: string;
  /** What is started, when nothing is replaced: the version before with sockets, if there are any. */
  versionOf(former: Version | undefined): Promise<Version>;
  line(line: string): void;
};

export function createReplaceable({ name, versionOf, line }: ReplaceableOptions): Replaceable {
  let version: Version | undefined;
  /** The one that serves. */
  let current: NodeChild | undefined;
  const children = new Set<NodeChild>();
  let end = Promise.withResolvers<string>();
  let ended = false;
  /** While a successor takes over. */
  let switching: Promise<void> | undefined;
  let replacing = false;
  let stopped = false;

  async function launch(what: Version, standsBy: boolean, hear = line): Promise<NodeChild> {
    if (stopped) throw new Error(`${name} is being stopped`);
    const child = await startChild(what, standsBy, hear);
    children.add(child);
    void child.ended.then(() => children.delete(child));
    return child;
  }

  function serveWith(child: NodeChild): void {
    if (ended) {
      end = Promise.withResolvers();
      ended = false;
    }
    current = child;
    void child.ended.then((reason) => {
      if (current === child) gone(reason);
    });
  }

  function gone(reason: string): void {
    current = undefined;
    ended = true;
    end.resolve(reason);
  }

  async function takeOver(successor: NodeChild, next: Version, steps: ReplaceSteps): Promise<{ unreadMs: number }> {
    const { releaseMs, readyMs } = { ...defaultLimits, ...steps.limits };
    const former = version ?? next;
    const old = current;
    let closedAt = performance.now();
    if (old) {
      steps.say(`${name}: the running one finishes what is under way`);
      // From now on its end is no accident.
      current = undefined;
      old.says('closing').then(
        () => (closedAt = performance.now()),
        () => undefined,
      );
      await old.end('release', releaseMs);
    }
    let servingAt: number | undefined;
    successor.says('serving').then(
      () => (servingAt = performance.now()),
      () => undefined,
    );
    try {
      steps.betweenBoth();
      successor.tell('go');
      await within(successor.says('ready'), readyMs, `it was not ready within ${readyMs / 1000} s`);
      servingAt ??= performance.now();
      await steps.prove();
    } catch (error) {
      await goBack(successor, former, steps, messageOf(error));
    }
    version = next;
    serveWith(successor);
    return { unreadMs: (servingAt ?? performance.now()) - closedAt };
  }

  async function goBack(successor: NodeChild, former: Version, steps: ReplaceSteps, reason: string): Promise<never> {
    // It may be answering: what it has read is not lost if it still can.
    await successor.end('SIGTERM', giveUpMs);
    steps.say(`${name}: the new one failed (${reason}); the former one is started again`);
    version = { ...former, sockets: steps.retreat() };
    try {
      const child = await launch(version, false);
      serveWith(child);
      await within(child.says('ready'), defaultLimits.readyMs, 'it was not ready in time');
    } catch (error) {
      if (!current) gone(messageOf(error));
      throw new NotReplaced('nothing', `${reason}; the former one does not serve either: ${messageOf(error)}`);
    }
    throw new NotReplaced('former again', reason);
  }

  async function prepared(next: Version, steps: ReplaceSteps): Promise<NodeChild> {
    const { prepareMs } = { ...defaultLimits, ...steps.limits };
    let child: NodeChild | undefined;
    const heard: string[] = [];
    try {
      child = await launch(next, true, (text) => {
        if (heard.length < 20) heard.push(text);
        line(text);
      });
      await within(child.says('prepared'), prepareMs, `it was not prepared within ${prepareMs / 1000} s`);
      await steps.beforeSwitch();
      return child;
    } catch (error) {
      child?.kill();
      await child?.ended;
      for (const text of heard) steps.say(text);
      throw new NotReplaced('former untouched', messageOf(error));
    }
  }

  return {
    name,
    async start() {
      await switching;
      if (current?.alive()) return;
      if (!version || version.sockets.length === 0) version = await versionOf(version);
      serveWith(await launch(version, false));
    },
    async replace(next, steps) {
      if (replacing) throw new NotReplaced('former untouched', `${name} is being replaced already`);
      replacing = true;
      try {
        steps.say(`${name}: the new one loads its code and looks at its settings`);
        const successor = await prepared(next, steps);
        const done = takeOver(successor, next, steps);
        switching = done.then(
          () => undefined,
          () => undefined,
        );
        return await done;
      } finally {
        replacing = false;
        switching = undefined;
      }
    },
    async stop() {
      stopped = true;
      await Promise.all([...children].map((child) => child.end('SIGTERM', stopMs)));
    },
    ended: () => end.promise,
    abandon() {
      stopped = true;
      for (const child of children) child.kill();
    },
  };
}

async function within<T>(promise: Promise<T>, ms: number, otherwise: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(otherwise)), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
