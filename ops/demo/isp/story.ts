// What happens in a run: who downloads without end and when, which access server fails, and when the office suspends somebody.
import { between, oneOf, type Random, wholeBetween } from '../random.ts';
import type { AccessServer } from './access-server.ts';
import type { Subscriber } from './subscriber.ts';

export type StoryOptions = {
  readonly subscribers: readonly Subscriber[];
  readonly servers: readonly AccessServer[];
  /** null: until Ctrl-C. */
  readonly durationMs: number | null;
  readonly random: Random;
  /** The office suspends a subscriber for a while. */
  suspend(subscriber: Subscriber): void;
};

export type Story = { tick(elapsedMs: number): void };

/** So few that the brake of Lastmile, at 50 in ten minutes, has no reason to step in. */
const most = 20;
const laterEveryMs = 30_000;
const satisfiedAfterMs = { from: 4000, to: 9000 };

export function createStory({ subscribers, servers, durationMs, random, suspend }: StoryOptions): Story {
  const hungry = new Map<Subscriber, number>();
  // Taken from the end: the fastest first, they cross soonest.
  const candidates = shuffled(subscribers, random)
    .filter(({ limitBytes, usedToday }) => limitBytes !== null && usedToday < 0.5 * limitBytes)
    .sort((a, b) => a.tariffSpeed.downBps - b.tariffSpeed.downBps);
  const starts = firstMeals(Math.min(most, Math.max(2, Math.round(subscribers.length * 0.15))), durationMs);
  let nextOutageMs = durationMs === null ? 25_000 : durationMs * 0.45;
  let nextSuspensionMs = durationMs === null ? 40_000 : durationMs * 0.3;

  function feed(elapsedMs: number): void {
    while ((starts[0] ?? Number.POSITIVE_INFINITY) <= elapsedMs) {
      const at = starts.shift() ?? 0;
      if (starts.length === 0) starts.push(at + laterEveryMs);
      const subscriber = candidates.pop();
      if (!subscriber) continue;
      subscriber.appetite.devour(true);
      hungry.set(subscriber, Number.POSITIVE_INFINITY);
    }
    for (const [subscriber, untilMs] of hungry) {
      if (subscriber.throttled && untilMs === Number.POSITIVE_INFINITY) {
        hungry.set(subscriber, elapsedMs + between(random, satisfiedAfterMs.from, satisfiedAfterMs.to));
      } else if (elapsedMs >= untilMs) {
        subscriber.appetite.devour(false);
        hungry.delete(subscriber);
      }
    }
  }

  function fail(elapsedMs: number): void {
    if (elapsedMs < nextOutageMs) return;
    nextOutageMs = elapsedMs + between(random, 40_000, 70_000);
    const [first, ...others] = servers.filter((server) => server.phase() === 'up');
    if (first) oneOf(random, [first, ...others]).reboot();
  }

  function office(elapsedMs: number): void {
    if (elapsedMs < nextSuspensionMs) return;
    nextSuspensionMs = elapsedMs + between(random, 50_000, 80_000);
    const online = subscribers.filter(({ state, throttled, appetite }) => {
      return state === 'online' && !throttled && !appetite.devouring();
    });
    const [first, ...others] = online;
    if (first) suspend(oneOf(random, [first, ...others]));
  }

  return {
    tick(elapsedMs) {
      feed(elapsedMs);
      fail(elapsedMs);
      office(elapsedMs);
    },
  };
}

/** Instants at which somebody begins to download, spread so that all can cross before the end. */
function firstMeals(count: number, durationMs: number | null): number[] {
  const firstMs = durationMs === null ? 3000 : Math.min(3000, durationMs * 0.15);
  const lastMs = durationMs === null ? 40_000 : Math.max(firstMs, Math.min(40_000, durationMs * 0.5));
  return Array.from({ length: count }, (_, place) => firstMs + ((lastMs - firstMs) * place) / Math.max(1, count - 1));
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const order = [...items];
  for (let place = order.length - 1; place > 0; place--) {
    const other = wholeBetween(random, 0, place + 1);
    [order[place], order[other]] = [order[other] as T, order[place] as T];
  }
  return order;
}
