// One who has counted too: what it says of each subscriber, and what it must say if every byte was counted once.
import { messageOf } from '#ops/runtime/errors.ts';
import type { ByteCount, Subscriber } from '../isp/subscriber.ts';

/** Both equal unless something sent was never answered: then nobody outside can know which of them it is. */
export type Expected = { readonly least: Readonly<ByteCount>; readonly most: Readonly<ByteCount> };

export type Witness = {
  /** e.g. 'the API' */
  readonly name: string;
  expected(subscriber: Subscriber): Expected;
  /** By subscription id; a subscriber that it does not know has used nothing. */
  read(subscribers: readonly Subscriber[]): Promise<ReadonlyMap<number, ByteCount>>;
};

export type Difference = { readonly userName: string; readonly expected: string; readonly found: string };

export type Testimony = {
  readonly witness: string;
  readonly subscribers: number;
  readonly expectedBytes: number;
  readonly foundBytes: number;
  readonly differences: readonly Difference[];
  /** Why it could not be asked the last time; null when it answered. */
  readonly problem: string | null;
};

/** What the accounting says in all: acknowledged at least, sent at most. */
export function accounted({ acked, sent }: Pick<Subscriber, 'acked' | 'sent'>, before: Readonly<ByteCount>): Expected {
  return {
    least: { up: before.up + acked.up, down: before.down + acked.down },
    most: { up: before.up + sent.up, down: before.down + sent.down },
  };
}

export function differenceOf(
  userName: string,
  { least, most }: Expected,
  found: Readonly<ByteCount>,
): Difference | null {
  const fits = (['up', 'down'] as const).every((way) => found[way] >= least[way] && found[way] <= most[way]);
  if (fits) return null;
  const range = (way: keyof ByteCount) =>
    least[way] === most[way] ? `${least[way]}` : `${least[way]} to ${most[way]}`;
  return {
    userName,
    expected: `up ${range('up')}, down ${range('down')}`,
    found: `up ${found.up}, down ${found.down}`,
  };
}

/**
 * Asks again about those who do not fit, until all do or `patienceMs` is over.
 * @param pause waits a moment between two questions
 */
export async function hear(
  witness: Witness,
  subscribers: readonly Subscriber[],
  { patienceMs, nowMs, pause }: { patienceMs: number; nowMs(): number; pause(): Promise<void> },
): Promise<Testimony> {
  const endMs = nowMs() + patienceMs;
  const nothing: ByteCount = { up: 0, down: 0 };
  const found = new Map<number, ByteCount>();
  let doubtful = subscribers;
  let problem: string | null = null;
  for (;;) {
    try {
      const answers = await witness.read(doubtful);
      for (const { subscriptionId } of doubtful) found.set(subscriptionId, answers.get(subscriptionId) ?? nothing);
      doubtful = doubtful.filter((subscriber) => differing(subscriber) !== null);
      problem = null;
    } catch (error) {
      problem = messageOf(error);
    }
    if (doubtful.length === 0 || nowMs() >= endMs) break;
    await pause();
  }

  function differing(subscriber: Subscriber): Difference | null {
    const said = found.get(subscriber.subscriptionId) ?? nothing;
    return differenceOf(subscriber.userName, witness.expected(subscriber), said);
  }

  const sum = (count: Readonly<ByteCount>) => count.up + count.down;
  return {
    witness: witness.name,
    subscribers: subscribers.length,
    expectedBytes: subscribers.reduce((total, subscriber) => total + sum(witness.expected(subscriber).least), 0),
    foundBytes: [...found.values()].reduce((total, count) => total + sum(count), 0),
    differences: doubtful.flatMap((subscriber) => differing(subscriber) ?? []),
    problem,
  };
}
