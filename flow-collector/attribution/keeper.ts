// Keeps the address index of a worker: fills it from disk at the start, takes over changes, forgets what ended long ago.
import { existsSync } from 'node:fs';
import type { Part } from '#ops/runtime/lifecycle.ts';
import { type Counters, counterPlaces } from '../counters.ts';
import type { AddressIndex, AddressInterval } from './address-index.ts';
import { readIntervals } from './address-store.ts';

/** Exporters report long flows up to half an hour after they ended, and clocks are wrong: so long an address is remembered behind its session. */
export const historyMs = 2 * 3_600_000;
const expireEveryMs = 600_000;

export type AddressKeeper = Part & { take(intervals: readonly AddressInterval[]): void };

export type AddressKeeperOptions = {
  index: AddressIndex;
  file: string;
  counters: Counters;
  nowMs(): number;
};

const full = counterPlaces.offset('addressesFull', '');

export function createAddressKeeper({ index, file, counters, nowMs }: AddressKeeperOptions): AddressKeeper {
  let timer: NodeJS.Timeout | undefined;

  function put(interval: AddressInterval): void {
    if (interval.toMs < nowMs() - historyMs) return;
    if (!index.put(interval)) counters.add(full, 1);
  }

  return {
    name: 'address index',
    async start() {
      if (existsSync(file)) await readIntervals(file, put);
      timer ??= setInterval(() => index.expire(nowMs() - historyMs), expireEveryMs);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
    },
    take: (intervals) => intervals.forEach(put),
  };
}
