// Moves sessions away from drained access servers: Disconnects at the pace and up to the number that an operator confirmed, over crashes and nodes alike.

import type { NasMove } from '#aaa-server/subscribers/nas-operation.ts';
import type { NasRecord } from '#aaa-server/subscribers/records.ts';
import type { Outcome } from '#policy/access/outcome.ts';
import type { BrakeGate } from '#policy/ledger/brake-gate.ts';
import { keys } from '#policy/ledger/keys.ts';
import type { MoveLedger } from '#policy/ledger/moves.ts';
import type { LiveSession } from '#policy/ledger/types.ts';
import { usageWindows } from '#policy/time.ts';
import { type AssessOptions, assess } from './assess.ts';
import type { Failures } from './failures.ts';
import type { EnforcementMetrics } from './metrics.ts';
import { modeAt } from './nas-mode.ts';
import type { Owned, Partitions } from './partitions.ts';
import type { Sender } from './sender.ts';
import type { Timer } from './timer.ts';

export type Moves = { start(): void; stop(): Promise<void> };

export type MovesOptions = AssessOptions & {
  ledger: MoveLedger;
  partitions: Pick<Partitions, 'all'>;
  /** Undefined while the snapshot is not complete. */
  nases(): readonly NasRecord[] | undefined;
  gate: Pick<BrakeGate, 'state'>;
  sender: Pick<Sender, 'push' | 'newest'>;
  timer: Timer;
  metrics: Pick<EnforcementMetrics, 'moved'>;
  failed: Failures;
  tickMs: number;
};

/** What an operator ordered of one access server. */
type Order = {
  readonly tenantId: number;
  readonly nasId: number;
  readonly move: NasMove;
  /** Sessions that came when as many as were confirmed had been told: they are not asked for again. */
  beyond: Set<string>;
};

type Need = { readonly session: LiveSession; readonly outcome: Outcome };

/** Of a subscription that was deleted. */
const terminated: Outcome = { kind: 'reject', reason: 'subscription_terminated' };

/** While the brake holds, or in maintenance, it is looked again after this long. */
const heldMs = 1000;
/** When everybody was told, those who did not go are looked for this often. */
const restMs = 15_000;
/** When nobody is left whom the order means, those who came late are looked for this often. */
const idleMs = 60_000;

export function createMoves(options: MovesOptions): Moves {
  const { ledger, partitions, gate, sender, timer, metrics } = options;
  const running = new Map<number, Promise<void>>();
  const wakes = new Set<() => void>();
  let stopped = true;

  const nasOf = ({ tenantId, nasId }: Order) =>
    options.nases()?.find((nas) => nas.id === nasId && nas.tenantId === tenantId);
  /** An order that was stopped, or whose drain has ended, is none any more. */
  const stands = (order: Order) => !stopped && nasOf(order)?.drain?.move?.id === order.move.id;

  function pause(ms: number): Promise<void> {
    if (stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        wakes.delete(wake);
        resolve();
      };
      const cancel = timer.after(ms, wake);
      wakes.add(wake);
    });
  }

  /** The brake of a tenant says that something is wrong there: no time to end sessions. */
  async function isHeld(order: Order): Promise<boolean> {
    const tenantMode = options.snapshot.tenant(order.tenantId)?.mode;
    if (modeAt(tenantMode, nasOf(order), timer.nowMs()) !== 'enforce') return true;
    return (await gate.state(order.tenantId)).holding;
  }

  /** The session as it is now, and what it should have; undefined when it has gone. */
  async function needOf(session: LiveSession): Promise<Need | undefined> {
    const nowMs = timer.nowMs();
    const assessment = await assess(options, session, nowMs);
    const found = assessment?.sessions ?? (await sessionsOfDeleted(session, nowMs));
    return found.find(
      ({ session: { nasInstance, sessionId, incarnation } }) =>
        nasInstance === session.nasInstance && sessionId === session.sessionId && incarnation === session.incarnation,
    );
  }

  /** Nobody evaluates them, but they are counted as open. */
  async function sessionsOfDeleted(who: LiveSession, nowMs: number): Promise<Need[]> {
    const { sessions } = await options.look(who, usageWindows(nowMs, 'UTC', 1, 1));
    return sessions.map((session) => ({ session, outcome: terminated }));
  }

  /** busy: something else is being told to the session just now. beyond: it is none of those who were confirmed. */
  async function tell(
    order: Order,
    owned: Owned,
    session: LiveSession,
    beyond: ReadonlySet<string>,
  ): Promise<'told' | 'busy' | 'not_told' | 'beyond'> {
    const { partition, tenantId, nasInstance, sessionId, incarnation } = session;
    const key = keys.session(partition, tenantId, nasInstance, sessionId);
    const name = `${key} ${incarnation}`;
    if (beyond.has(name)) {
      order.beyond.add(name);
      return 'beyond';
    }
    while (stands(order) && !owned.signal.aborted) {
      if (await isHeld(order)) {
        await pause(heldMs);
        continue;
      }
      const need = await needOf(session);
      if (!need) return 'not_told';
      // What is under way ends first: an order that waits behind it could be replaced, and would be counted all the same.
      if (sender.newest(key) !== null) return 'busy';
      const turn = await ledger.take(order.move, name);
      if (turn === 'known') return 'not_told';
      if (turn === 'full') {
        order.beyond.add(name);
        return 'beyond';
      }
      if (turn !== 'go') {
        await pause(turn.waitMs);
        continue;
      }
      metrics.moved.inc();
      sender.push({
        ...{ sessionKey: key, session: need.session, owned, desired: need.outcome, from: null, by: 'disconnect' },
        ...{
          crossedAtMs: null,
          delayMs: 0,
          urgent: false,
          endsIfGone: true,
          insists: true,
          wanted: () => stands(order),
        },
      });
      return 'told';
    }
    return 'not_told';
  }

  /** Ends early when there is something else to look at: the partitions of a node that died. */
  async function rest(order: Order, ms: number): Promise<void> {
    const owned = partitions.all().length;
    const untilMs = timer.monotonicMs() + ms;
    while (stands(order) && partitions.all().length === owned && timer.monotonicMs() < untilMs) await pause(heldMs);
  }

  async function run(order: Order): Promise<void> {
    for (let before = -1; stands(order); ) {
      const all = partitions.all();
      // Of what has just been taken over more may come at once.
      let isOver = all.length === before;
      before = all.length;
      let isEmpty = true;
      // Those that have gone meanwhile are forgotten.
      const { beyond } = order;
      order.beyond = new Set();
      for (const owned of all) {
        const sessions = await ledger.sessionsOfNas(owned.lease.partition, order.tenantId, order.nasId);
        for (const session of sessions) {
          const result = await tell(order, owned, session, beyond);
          if (result === 'told' || result === 'busy') isOver = false;
          if (result !== 'beyond') isEmpty = false;
        }
        if (!stands(order)) return;
      }
      await (isOver ? rest(order, isEmpty ? idleMs : restMs) : pause(heldMs));
    }
  }

  function look(): void {
    if (stopped) return;
    for (const { tenantId, id: nasId, drain } of options.nases() ?? []) {
      const move = drain?.move;
      if (!move || running.has(move.id)) continue;
      const moving = run({ tenantId, nasId, move, beyond: new Set() })
        .catch((error) => options.failed('move', error, 'moving of sessions pauses'))
        .finally(() => running.delete(move.id));
      running.set(move.id, moving);
    }
    void pause(options.tickMs).then(look);
  }

  return {
    start() {
      if (!stopped) return;
      stopped = false;
      look();
    },
    async stop() {
      stopped = true;
      for (const wake of wakes) wake();
      await Promise.all(running.values());
    },
  };
}
