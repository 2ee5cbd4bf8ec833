// A simulated subscriber: who it is, what it wants, and what the accounting that was acknowledged says it has used.
import type { Speed } from '#policy/speed.ts';
import { oneOf, type Random, wholeBetween } from '../random.ts';
import { type Appetite, createAppetite } from '../traffic/appetite.ts';

export type ByteCount = { up: number; down: number };

export function addBytes(to: ByteCount, more: Readonly<ByteCount>): void {
  to.up += more.up;
  to.down += more.down;
}

/** What is known of it from the API before the run. */
export type KnownSubscriber = {
  readonly userName: string;
  readonly subscriptionId: number;
  readonly tariffSpeed: Speed;
  /** The fair-use threshold of a day that it can cross, if its tariff has one. */
  readonly limitBytes: number | null;
  /** Counted before this run: today and ever. */
  readonly usedToday: number;
  readonly before: Readonly<ByteCount>;
};

export type Subscriber = KnownSubscriber & {
  readonly password: string;
  readonly method: 'pap' | 'chap';
  readonly mac: string;
  readonly appetite: Appetite;
  /** Reported by its sessions in this run: acknowledged, and sent at all. Equal when nothing went unanswered. */
  readonly acked: ByteCount;
  readonly sent: ByteCount;
  /** Carried by its sessions, reported or not. */
  readonly carried: ByteCount;
  /** In the flows that were exported, and in those of datagrams that were lost on purpose. */
  readonly exported: ByteCount;
  readonly exportLost: ByteCount;
  /** Where it stands; `sinceMs` of the last change. */
  state: 'offline' | 'connecting' | 'online';
  nextLoginMs: number;
  /** The next password is mistyped. */
  mistypes: boolean;
  /** Slower than its tariff. */
  throttled: boolean;
  /** When the record that reached its limit went out; null before, and when it was reached before the run. */
  crossedAtMs: number | null;
};

export const demoPassword = 'pass123';
const chapShare = 0.25;

export function createSubscriber(known: KnownSubscriber, random: Random): Subscriber {
  return {
    ...known,
    password: demoPassword,
    method: random() < chapShare ? 'chap' : 'pap',
    mac: macAddress(random),
    appetite: createAppetite(random),
    acked: { up: 0, down: 0 },
    sent: { up: 0, down: 0 },
    carried: { up: 0, down: 0 },
    exported: { up: 0, down: 0 },
    exportLost: { up: 0, down: 0 },
    state: 'offline',
    nextLoginMs: 0,
    mistypes: false,
    throttled: false,
    crossedAtMs: null,
  };
}

/** From blocks of makers of home routers. */
function macAddress(random: Random): string {
  const maker = oneOf(random, ['48:A9:8A', 'CC:2D:E0', '50:C7:BF', '14:CC:20']);
  const octet = () => wholeBetween(random, 0, 256).toString(16).toUpperCase().padStart(2, '0');
  return `${maker}:${octet()}:${octet()}:${octet()}`;
}

/** Whether what it has reported, and used before, reaches its limit. */
export function isOver({ limitBytes, usedToday, sent }: Subscriber): boolean {
  return limitBytes !== null && usedToday + sent.up + sent.down >= limitBytes;
}
