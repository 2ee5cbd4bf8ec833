// The main thread's list of RadSec connections and of our requests on them: each connection has 256 identifiers of its own.
import type { RadsecOrder, RadsecReport } from './protocol.ts';

export type LinkAnswer = { readonly kind: 'reply'; readonly data: Buffer } | { readonly kind: 'closed' };

/** One identifier on one connection, ours until released. */
export type LinkSlot = {
  readonly identifier: number;
  /** The same for every slot of the connection. */
  readonly link: object;
  send(request: Buffer): void;
  /** The peer does not speak the truth: the connection ends. */
  distrust(): void;
  release(): void;
};

export type RadsecLinks = {
  /** What a worker tells. */
  hear(worker: number, words: RadsecReport): void;
  /** `onAnswer` may be called several times until the release. Null without a connection that is not in `except` and has an identifier left. */
  acquire(nasId: number, except: ReadonlySet<object>, onAnswer: (answer: LinkAnswer) => void): LinkSlot | null;
  /** Open connections by NAS id. */
  connections(): ReadonlyMap<number, number>;
};

type Link = {
  readonly worker: number;
  readonly connection: number;
  nasIds: readonly number[];
  readonly waiting: (((answer: LinkAnswer) => void) | undefined)[];
  taken: number;
  next: number;
};

const identifiers = 256;

export function createRadsecLinks(
  order: (worker: number, order: RadsecOrder) => void,
  onStray: () => void,
): RadsecLinks {
  const links = new Map<string, Link>();

  function changed(worker: number, connection: number, nasIds: readonly number[]): void {
    const key = `${worker} ${connection}`;
    const known = links.get(key);
    if (nasIds.length > 0) {
      if (known) known.nasIds = nasIds;
      else links.set(key, { worker, connection, nasIds, waiting: [], taken: 0, next: 0 });
      return;
    }
    links.delete(key);
    for (const waiter of known?.waiting ?? []) waiter?.({ kind: 'closed' });
  }

  /** Going round gives a late answer the longest time to be recognised as one. */
  function take(link: Link, onAnswer: (answer: LinkAnswer) => void): LinkSlot {
    while (link.waiting[link.next]) link.next = (link.next + 1) % identifiers;
    const identifier = link.next;
    link.next = (identifier + 1) % identifiers;
    link.waiting[identifier] = onAnswer;
    link.taken++;
    const { worker, connection } = link;
    return {
      identifier,
      link,
      send: (data) => order(worker, { type: 'radsec_send', connection, data }),
      distrust: () => order(worker, { type: 'radsec_distrust', connection }),
      release() {
        if (link.waiting[identifier] !== onAnswer) return;
        link.waiting[identifier] = undefined;
        link.taken--;
      },
    };
  }

  return {
    hear(worker, words) {
      if (words.type === 'radsec_connection') return changed(worker, words.connection, words.nasIds);
      const data = Buffer.from(words.data);
      const waiter = links.get(`${worker} ${words.connection}`)?.waiting[data[1] ?? 0];
      if (waiter) waiter({ kind: 'reply', data });
      else onStray();
    },
    acquire(nasId, except, onAnswer) {
      // The newest first: of those that a restarted access server left behind it knows nothing.
      const free = [...links.values()]
        .reverse()
        .find((link) => link.nasIds.includes(nasId) && !except.has(link) && link.taken < identifiers);
      return free ? take(free, onAnswer) : null;
    },
    connections() {
      const counts = new Map<number, number>();
      for (const { nasIds } of links.values())
        for (const nasId of nasIds) counts.set(nasId, (counts.get(nasId) ?? 0) + 1);
      return counts;
    },
  };
}
