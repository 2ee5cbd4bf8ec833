// The connection to Redis as a part of a process: it starts without waiting, so that what needs no Redis goes on without it.
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { type ConnectRedisOptions, connectRedis, type RedisClient } from './redis.ts';

export type RedisLink = Part & {
  /** Undefined until the first connection stands; afterwards the client reconnects by itself. */
  current(): RedisClient | undefined;
  /** Calls `listener` with the client as soon as there is one. */
  onConnected(listener: (client: RedisClient) => void): void;
};

export function createRedisLink(
  options: { log: Logger } & Pick<ConnectRedisOptions, 'url' | 'name' | 'commandTimeoutMs'>,
): RedisLink {
  const { log, ...where } = options;
  const ended = new AbortController();
  const listeners: ((client: RedisClient) => void)[] = [];
  let connected: RedisClient | undefined;
  let reported = '';

  function onProblem(problem: string): void {
    if (problem !== reported) log.warn({ problem }, 'redis does not answer');
    reported = problem;
  }

  async function connect(): Promise<void> {
    const client = await connectRedis({ ...where, signal: ended.signal, onProblem });
    if (ended.signal.aborted) return client.disconnect();
    connected = client;
    for (const listener of listeners) listener(client);
  }

  return {
    name: 'redis',
    current: () => connected,
    onConnected(listener) {
      if (connected) listener(connected);
      else listeners.push(listener);
    },
    async start() {
      connect().catch((error) => {
        if (!ended.signal.aborted) log.error({ err: error }, 'redis will not be tried again');
      });
    },
    async stop() {
      ended.abort();
      connected?.disconnect();
    },
  };
}
