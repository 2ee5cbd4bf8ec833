// A part of a process that lives on Redis: it is made and started when the first connection stands, and stopped with the process.
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { RedisClient } from './redis.ts';
import type { RedisLink } from './redis-link.ts';

export type OnRedis<T extends Part> = Part & {
  /** Undefined until Redis has answered once. */
  current(): T | undefined;
};

/** `onFatal` hears of a part that could not be made or started: without it the process must not go on. */
export function onRedis<T extends Part>(
  name: string,
  link: RedisLink,
  make: (client: RedisClient) => T | Promise<T>,
  onFatal: (error: unknown) => void,
): OnRedis<T> {
  let part: T | undefined;
  let starting: Promise<void> | undefined;
  let stopped = false;

  async function begin(client: RedisClient): Promise<void> {
    const made = await make(client);
    if (stopped) return;
    await made.start();
    part = made;
  }

  return {
    name,
    current: () => part,
    async start() {
      link.onConnected((client) => {
        if (!stopped) starting = begin(client).catch(onFatal);
      });
    },
    async stop() {
      stopped = true;
      await starting;
      await part?.stop();
    },
  };
}
