// Keeps the snapshot in step with PostgreSQL: a full copy when needed, then the change feed, woken by NOTIFY and once a second.
import { Client } from 'pg';
import type { Clock } from '#ops/runtime/clock.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import type { Logger } from '#ops/runtime/log.ts';
import { releaseHeld, settleRemovals, takeOver, textOf } from './apply.ts';
import { copySource } from './copy.ts';
import type { Loss } from './limits.ts';
import type { SourceRow } from './rows.ts';
import type { Removal, Snapshot } from './snapshot.ts';
import { changesSince, type FeedKey, inOneSnapshot, type SourceState, whyCopy } from './source.ts';
import type { Store } from './store.ts';

/** What the feed tells while it works; `reload`: everything may be different. */
export type FeedEvents = {
  changed(keys: readonly FeedKey[]): void;
  reloaded(tookMs: number, reason: string): void;
  heldBack(tenants: readonly number[]): void;
  reloadHeld(losses: readonly Loss[]): void;
  unreadable(row: SourceRow & { kind: 'unreadable' }): void;
};

export type FeedOptions = {
  databaseUrl: string;
  store: Store;
  clock: Clock;
  log: Logger;
  events: FeedEvents;
  pollMs?: number;
  /** How long a reload that lost too much waits before the source is copied again, in case it was mended. */
  heldReloadMs?: number;
  /** For tests of a crash: called after each page of a full copy. */
  onPage?(): void;
};

export type Feed = {
  start(): void;
  stop(): Promise<void>;
  /** Why the feed does not work just now, or null. */
  trouble(): string | null;
  reloadLosses(): readonly (Loss & { readonly sinceMs: number })[];
  confirmReload(loss: Loss): void;
  /** Removes what a tenant's held removals kept, if they are exactly `count` once the feed has nothing else to do. @returns how many are held. */
  release(tenantId: number, count: number): Promise<number>;
};

/**
 * What a mass change still owes: read as changes up to the database snapshot `seen`, applied in slices. Kept in memory only; the
 * stored position stays before it, so after a lost connection it is all read again.
 */
type Backlog = {
  readonly seen: string;
  readonly owed: readonly FeedKey[];
  readonly touched: readonly FeedKey[];
  readonly vanished: readonly Removal[];
};

/** Position and proof of life are written at least this often while nothing changes. */
const markEveryMs = 5000;
/** So much is applied before the feed looks for newer changes: one subscriber does not wait for a mass change. */
const sliceSize = 1000;
/** Changes that come in a burst are applied together. */
const gatherMs = 20;

export function createFeed(options: FeedOptions): Feed {
  const { store, clock, log, events, pollMs = 1000, heldReloadMs = 60_000 } = options;
  let stopping = false;
  let running: Promise<void> | undefined;
  let connection: Client | undefined;
  let work: Promise<unknown> = Promise.resolve();
  let trouble: string | null = 'the change feed has not started';
  let losses: readonly (Loss & { readonly sinceMs: number })[] = [];
  let confirmed: Loss[] = [];
  let copyNotBeforeMs = 0;
  let backlog: Backlog | undefined;
  let markedAtMs = Number.NEGATIVE_INFINITY;
  let wake = () => {};
  let woken = false;

  /** One thing at a time writes to the snapshot. */
  function alone<T>(task: () => Promise<T>): Promise<T> {
    const result = work.then(task);
    work = result.catch(() => undefined);
    return result;
  }

  function rouse(): void {
    woken = true;
    wake();
  }

  async function pause(ms: number): Promise<void> {
    if (!woken && !stopping) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    wake = () => {};
    woken = false;
  }

  async function run(): Promise<void> {
    for (let failures = 0; !stopping; ) {
      try {
        await follow(() => {
          failures = 0;
        });
      } catch (error) {
        if (stopping) return;
        if (failures === 0) log.warn({ err: error }, 'change feed lost, the snapshot stays as it is');
        trouble = `PostgreSQL: ${messageOf(error)}`;
        await pause(Math.min(250 * 2 ** failures++, 2000));
      }
    }
  }

  async function follow(onSuccess: () => void): Promise<void> {
    const client = new Client({
      connectionString: options.databaseUrl,
      application_name: 'aaa-server feed',
      connectionTimeoutMillis: 5000,
      query_timeout: 60_000,
      keepAlive: true,
    });
    connection = client;
    backlog = undefined;
    let broken: unknown;
    client.on('error', (error) => {
      broken = error;
      rouse();
    });
    client.on('notification', rouse);
    try {
      await client.connect();
      await client.query('LISTEN lastmile_feed');
      log.info('change feed connected');
      while (!stopping) {
        if (broken) throw broken;
        await alone(() => inOneSnapshot(client, (state) => catchUp(client, state)));
        onSuccess();
        await pause(pollMs);
        await new Promise((resolve) => setTimeout(resolve, gatherMs));
      }
    } finally {
      await client.end().catch((error) => log.debug({ err: error }, 'change feed connection did not end cleanly'));
    }
  }

  async function catchUp(client: Client, state: SourceState): Promise<void> {
    const snapshot = store.current();
    const position = snapshot?.position();
    const reason = whyCopy(position, state);
    if (reason !== null || !snapshot || !position) return copy(client, state, reason ?? 'nothing was copied yet');
    const fresh = await changesSince(client, backlog?.seen ?? position.snapshot);
    if (fresh.length > 0 || backlog) await applySome(client, snapshot, state, fresh);
    else if (clock.monotonicMs() - markedAtMs >= markEveryMs) await mark(state);
    trouble = null;
  }

  /** Applies at most a slice, what is new before what is owed; the position moves once nothing is owed. */
  async function applySome(client: Client, snapshot: Snapshot, state: SourceState, fresh: FeedKey[]): Promise<void> {
    const { owed = [], touched = [], vanished = [] } = backlog ?? {};
    const queue = [...fresh.slice(0, sliceSize / 2), ...owed, ...fresh.slice(sliceSize / 2)];
    const slice = queue.slice(0, sliceSize);
    const rest = queue.slice(sliceSize);
    const taken = await takeOver(client, snapshot, slice, events.unreadable);
    // A key that was read again is what it was read as last.
    const again = new Set(slice.map(textOf));
    const lost = [...vanished.filter((removal) => !again.has(textOf(removal))), ...taken.vanished];
    const all = [...touched, ...slice];
    if (rest.length > 0) {
      backlog = { seen: state.snapshot, owed: rest, touched: all, vanished: lost };
      await snapshot.environment.flushed;
      if (taken.changed.length > 0) events.changed(taken.changed);
      return rouse();
    }
    const { removed, heldTenants } = await settleRemovals(snapshot, all, lost, clock.nowMs());
    await mark(state);
    backlog = undefined;
    await snapshot.environment.flushed;
    const changed = [...taken.changed, ...removed];
    if (changed.length > 0) events.changed(changed);
    if (heldTenants.length > 0) events.heldBack(heldTenants);
  }

  async function mark(state: SourceState): Promise<void> {
    await store.current()?.mark({ position: state, feedAliveAtMs: clock.nowMs() });
    markedAtMs = clock.monotonicMs();
  }

  async function copy(client: Client, state: SourceState, reason: string): Promise<void> {
    if (clock.monotonicMs() < copyNotBeforeMs) return;
    const startedAtMs = clock.monotonicMs();
    const result = await copySource({
      client,
      state,
      store,
      confirmed,
      nowMs: clock.nowMs,
      onUnreadable: events.unreadable,
      ...(options.onPage ? { onPage: options.onPage } : {}),
    });
    confirmed = [];
    if (result.kind === 'held') {
      const sinceMs = losses[0]?.sinceMs ?? clock.nowMs();
      losses = result.losses.map((loss) => ({ ...loss, sinceMs }));
      copyNotBeforeMs = clock.monotonicMs() + heldReloadMs;
      trouble = `a reload is held back because records vanished (${reason}): confirm it or mend the source`;
      if (result.staff.length > 0) events.changed(result.staff);
      events.reloadHeld(losses);
      return;
    }
    losses = [];
    copyNotBeforeMs = 0;
    trouble = null;
    markedAtMs = clock.monotonicMs();
    events.reloaded(clock.monotonicMs() - startedAtMs, reason);
  }

  return {
    start() {
      running ??= run();
    },
    async stop() {
      stopping = true;
      rouse();
      // Breaks off a running query, also one of a long copy: the next start begins it anew.
      await connection?.end().catch((error) => log.debug({ err: error }, 'change feed connection did not end cleanly'));
      await running;
      await work;
    },
    trouble: () => trouble,
    reloadLosses: () => losses,
    confirmReload(loss) {
      confirmed.push(loss);
      const rest = losses.filter(
        ({ tenantId, count }) => !confirmed.some((known) => known.tenantId === tenantId && known.count === count),
      );
      if (rest.length > 0) return;
      copyNotBeforeMs = 0;
      rouse();
    },
    release: (tenantId, count) =>
      alone(async () => {
        const snapshot = store.current();
        const held = snapshot?.held(tenantId) ?? [];
        if (!snapshot || held.length !== count) return held.length;
        await releaseHeld(snapshot, held);
        await snapshot.environment.flushed;
        events.changed(held);
        return count;
      }),
  };
}
