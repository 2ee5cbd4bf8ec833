// The connection to Redis as a part of the process: it starts without waiting, so that the API serves what needs no ledger.
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { connectRedis, type RedisClient } from '#ops/stores/redis.ts';
import { Problem } from './problem.ts';

export type RedisLink = Part & {
  /** Undefined until the first connection stands. */
  current(): RedisClient | undefined;
  /** Throws `ledger_unavailable` until the first connection stands. */
  client(): RedisClient;
};

export function createRedisLink(url: string, log: Logger): RedisLink {
  const ended = new AbortController();
  let connected: RedisClient | undefined;
  let reported = '';

  return {
    name: 'redis',
    current: () => connected,
    client() {
      if (!connected) throw new Problem('ledger_unavailable', 'Redis has not answered yet');
      return connected;
    },
    async start() {
      connectRedis({
        url,
        name: 'control-api',
        signal: ended.signal,
        onProblem: (problem) => {
          if (problem !== reported) log.warn({ problem }, 'redis does not answer');
          reported = problem;
        },
      }).then(
        (client) => {
          connected = client;
          if (ended.signal.aborted) client.disconnect();
        },
        (error) => {
          if (!ended.signal.aborted) log.error({ err: error }, 'redis will not be tried again');
        },
      );
    },
    async stop() {
      ended.abort();
      connected?.disconnect();
    },
  };
}
