// A WAL that one thread appends to while another one reads and applies it: how far it is on disk lies in memory that both see.
import { codeOf, messageOf } from '#ops/runtime/errors.ts';
import type { Segment } from './segments.ts';
import type { Wal } from './wal.ts';

/** What the reading thread begins with; may be posted. */
export type SharedWalState = Pick<Wal, 'id' | 'folder' | 'cutBytes' | 'openedAt'> & {
  readonly segments: readonly Segment[];
  /** Layout: {@link places}. */
  readonly memory: SharedArrayBuffer;
};

/** From the reading thread: what only the appending one may do. */
export type WalOrder = { readonly type: 'wal_order'; readonly id: number } & (
  | { readonly order: 'skip'; readonly position: number }
  | { readonly order: 'append'; readonly payload: Uint8Array }
  | { readonly order: 'prune'; readonly passed: number }
);

/** From the appending thread. */
export type WalNews =
  | { readonly type: 'wal_segments'; readonly segments: readonly Segment[] }
  /** More is on disk. Said once, until somebody listens anew. */
  | { readonly type: 'wal_grew' }
  | { readonly type: 'wal_done'; readonly id: number; readonly value: number }
  | { readonly type: 'wal_failed'; readonly id: number; readonly code: string; readonly reason: string };

export type WalOwner = {
  /** As it is now: the reading thread must hear all that is told from here on. */
  state(): SharedWalState;
  hear(order: WalOrder): void;
};
export type WalGuest = { readonly wal: Wal; hear(news: WalNews): void };

/** Of the 64-bit numbers. Base of the newest segment (without one: of the next); everything before `durable` is on disk; 1: the reader waits for more. */
const places = { base: 0, durable: 1, waits: 2 } as const;
const placeCount = 3;

/** For the thread that has the WAL open. */
export function shareWal(wal: Wal, tell: (news: WalNews) => void): WalOwner {
  const memory = new SharedArrayBuffer(8 * placeCount);
  const numbers = new BigInt64Array(memory);
  let told: readonly Segment[] = [...wal.segments()];

  function publish(): void {
    const segments = wal.segments();
    const last = segments.at(-1);
    if (segments.length !== told.length || last?.base !== told.at(-1)?.base) tell({ type: 'wal_segments', segments });
    told = [...segments];
    // In this order: who sees the new end sees the new segment.
    Atomics.store(numbers, places.base, BigInt(last?.base ?? wal.durable()));
    Atomics.store(numbers, places.durable, BigInt(wal.durable()));
    if (Atomics.exchange(numbers, places.waits, 0n) === 1n) tell({ type: 'wal_grew' });
  }

  async function obey(order: WalOrder): Promise<number> {
    switch (order.order) {
      case 'skip':
        return wal.skipTo(order.position);
      case 'append':
        await wal.append(Buffer.from(order.payload));
        return 0;
      case 'prune':
        return wal.prune(order.passed);
    }
    return order satisfies never;
  }

  publish();
  wal.onDurable(publish);
  const { id, folder, cutBytes, openedAt } = wal;
  return {
    state: () => ({ id, folder, cutBytes, openedAt, segments: [...wal.segments()], memory }),
    hear(order) {
      obey(order).then(
        (value) => {
          publish();
          tell({ type: 'wal_done', id: order.id, value });
        },
        (error: unknown) => tell({ type: 'wal_failed', id: order.id, code: codeOf(error), reason: messageOf(error) }),
      );
    },
  };
}

/** The WAL as the other thread sees it. */
export function guestWal(state: SharedWalState, tell: (order: WalOrder) => void): WalGuest {
  const numbers = new BigInt64Array(state.memory);
  const listeners = new Set<() => void>();
  const waiting = new Map<number, PromiseWithResolvers<number>>();
  let { segments } = state;
  let lastOrder = 0;

  function ask(order: (id: number) => WalOrder): Promise<number> {
    const id = ++lastOrder;
    const answer = Promise.withResolvers<number>();
    waiting.set(id, answer);
    tell(order(id));
    return answer.promise;
  }

  function settle(id: number, settled: (answer: PromiseWithResolvers<number>) => void): void {
    const answer = waiting.get(id);
    waiting.delete(id);
    if (answer) settled(answer);
  }

  return {
    wal: {
      ...state,
      segments: () => segments,
      durable() {
        const durable = Number(Atomics.load(numbers, places.durable));
        const base = Number(Atomics.load(numbers, places.base));
        // A segment that is not known here yet: what lies in it does not count so far.
        return base === segments.at(-1)?.base ? durable : Math.min(durable, base);
      },
      onDurable(listener) {
        listeners.add(listener);
        Atomics.store(numbers, places.waits, 1n);
        return () => listeners.delete(listener);
      },
      skipTo: (position) => ask((id) => ({ type: 'wal_order', id, order: 'skip', position })),
      append: async (payload) => void (await ask((id) => ({ type: 'wal_order', id, order: 'append', payload }))),
      prune: (passed) => ask((id) => ({ type: 'wal_order', id, order: 'prune', passed })),
      close: async () => {},
    },
    hear(news) {
      switch (news.type) {
        case 'wal_segments':
          segments = news.segments;
          break;
        case 'wal_grew':
          break;
        case 'wal_done':
          return settle(news.id, ({ resolve }) => resolve(news.value));
        case 'wal_failed':
          return settle(news.id, ({ reject }) => reject(Object.assign(new Error(news.reason), { code: news.code })));
        default:
          news satisfies never;
          return;
      }
      for (const listener of listeners) listener();
    },
  };
}
