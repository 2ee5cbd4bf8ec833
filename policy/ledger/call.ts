// Calls functions of the ledger's library, and loads it where it is missing: a new primary, a server that came back empty.
import type { Cluster, Redis } from 'ioredis';
import { loadLibrary } from './library.ts';

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

/** `onProblem`: the library could not be loaded after a reconnection; the next call that misses it tries again. */
export function createFunctionCaller(redis: Redis | Cluster, onProblem: (error: unknown) => void): FunctionCaller {
  let loading: Promise<void> | undefined;
  let listening = false;

  /** One load at a time, however many calls miss it. */
  function load(): Promise<void> {
    loading ??= loadLibrary(redis).finally(() => {
      loading = undefined;
    });
    return loading;
  }

  async function loaded(run: () => Promise<unknown>): Promise<unknown> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes('Function not found')) throw error;
      await load();
      return run();
    }
  }

  return {
    async load() {
      await load();
      if (listening) return;
      listening = true;
      // A server restored from an older file, or a new primary, may have an older library.
      redis.on('ready', () => void load().catch(onProblem));
      redis.on('+node', () => void load().catch(onProblem));
    },
    call: (name, keys, args) => loaded(() => redis.fcall(name, keys.length, ...keys, ...args)),
    callBuffer: (name, keys, args) =>
      loaded(() => (redis as unknown as Buffers).fcallBuffer(name, keys.length, ...keys, ...args)),
  };
}
