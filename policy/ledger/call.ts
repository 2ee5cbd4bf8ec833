// Calls functions of the ledger's library, and loads it where it is missing: a new primary, a server that came back empty.
import type { Cluster, Redis } from 'ioredis';
import { functionName, loadLibrary, removeUnusedLibraries } from './library.ts';

export type CallFunction = (
  name: string,
  keys: readonly string[],
  args: readonly (string | number | Buffer)[],
) => Promise<unknown>;

export type FunctionCaller = {
  readonly call: CallFunction;
  /** The same with texts of the answer as octets. */
  readonly callBuffer: CallFunction;
  load(): Promise<void>;
};

/** ioredis has it, its types do not. */
type Buffers = { fcallBuffer(name: string, keys: number, ...rest: (string | number | Buffer)[]): Promise<unknown> };

type Loader = {
  load(): Promise<void>;
  /** Loads again on every primary that comes, and after each reconnection. */
  keepLoaded(onProblem: (error: unknown) => void): void;
};

/** One for all who call over a connection. */
const loaders = new WeakMap<Redis | Cluster, Loader>();

function loaderOf(redis: Redis | Cluster): Loader {
  const known = loaders.get(redis);
  if (known) return known;
  let loading: Promise<void> | undefined;
  let listening = false;

  /** One load at a time, however many calls miss it. */
  function load(): Promise<void> {
    loading ??= loadLibrary(redis).finally(() => {
      loading = undefined;
    });
    return loading;
  }

  const loader: Loader = {
    load,
    keepLoaded(onProblem) {
      if (listening) return;
      listening = true;
      removeUnusedLibraries(redis, Date.now()).catch(onProblem);
      // A server restored from an older file, or a new primary, may lack it.
      redis.on('ready', () => void load().catch(onProblem));
      redis.on('+node', () => void load().catch(onProblem));
    },
  };
  loaders.set(redis, loader);
  return loader;
}

/** `onProblem`: the library could not be loaded after a reconnection; the next call that misses it tries again. */
export function createFunctionCaller(redis: Redis | Cluster, onProblem: (error: unknown) => void): FunctionCaller {
  const loader = loaderOf(redis);

  async function loaded(run: () => Promise<unknown>): Promise<unknown> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes('Function not found')) throw error;
      await loader.load();
      return run();
    }
  }

  return {
    async load() {
      await loader.load();
      loader.keepLoaded(onProblem);
    },
    call: (name, keys, args) => loaded(() => redis.fcall(functionName(name), keys.length, ...keys, ...args)),
    callBuffer: (name, keys, args) =>
      loaded(() => (redis as unknown as Buffers).fcallBuffer(functionName(name), keys.length, ...keys, ...args)),
  };
}
