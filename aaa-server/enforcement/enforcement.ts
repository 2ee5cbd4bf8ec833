// Puts enforcement together: ownership, reconciler, brake, sender and CoA client, as one part of aaa-server's main thread.
import type { Cluster, Redis } from 'ioredis';
import { radsecSecret } from '#aaa-server/radsec/identity.ts';
import type { RadsecLinks } from '#aaa-server/radsec/links.ts';
import { cachedNases } from '#aaa-server/subscribers/nas-cache.ts';
import type { NasRecord, SnapshotReader } from '#aaa-server/subscribers/records.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Registry } from '#ops/runtime/metrics.ts';
import { formatOutcome } from '#policy/access/outcome.ts';
import { noteAction } from '#policy/ledger/actions.ts';
import { createBrakeGate } from '#policy/ledger/brake-gate.ts';
import { createEnforcementLedger, type Subscriber } from '#policy/ledger/enforcement.ts';
import { createMoveLedger } from '#policy/ledger/moves.ts';
import { maintenanceUntil } from '#policy/nas/maintenance.ts';
import { type Alarm, createAlarms } from './alarms.ts';
import type { AssessOptions } from './assess.ts';
import { createClockWatch } from './clock-watch.ts';
import { createCoaClient } from './coa/client.ts';
import { coaRequestFor } from './coa/request.ts';
import { createDisconnects } from './disconnects.ts';
import { createFailures } from './failures.ts';
import { createEnforcementLoop, type EnforcementLoop } from './loop.ts';
import { createEnforcementMetrics } from './metrics.ts';
import { createMoves } from './moves.ts';
import { modeAt } from './nas-mode.ts';
import { createPartitions } from './partitions.ts';
import { createProfiles } from './profiles.ts';
import { createReconciler } from './reconciler.ts';
import { type Change, createSender } from './sender.ts';
import { createSweep } from './sweep.ts';
import { systemTimer, type Timer } from './timer.ts';

export type EnforcementConfig = {
  readonly COA_SOURCE: string;
  readonly COA_FALLBACK: 'disconnect' | 'none';
  readonly ENFORCEMENT_SWEEP_S: number;
};

export type EnforcementDeps = Pick<AssessOptions, 'decide' | 'hashOutcome'> & {
  redis: Redis | Cluster;
  /** Names this node in its leases: the same after a restart, different from every other node. */
  node: string;
  snapshot: Pick<
    SnapshotReader,
    'complete' | 'feedAliveAtMs' | 'tenant' | 'plan' | 'subscription' | 'nasGeneration' | 'nasList'
  >;
  keyring: Keyring;
  /** Whether an access server uses its next secret already. */
  usesNextSecret?: (nasId: number) => boolean;
  registry: Registry;
  log: Logger;
  /** A profile of this partition was published: the mirror of this node can read it now. */
  onPublished?: (partition: number) => void;
  onAlarm?: (alarm: Alarm) => void;
  /** The RadSec connections of this node; missing where RadSec is off. */
  links?: Pick<RadsecLinks, 'acquire'> | undefined;
  timer?: Timer;
  /** In [0, 1). */
  random?: () => number;
  /** For tests: how often work is claimed, how long a lease stands, after how long unfinished work comes again. */
  pace?: Partial<typeof defaultPace>;
};

export type Enforcement = EnforcementLoop;

const defaultPace = { tickMs: 500, leaseMs: 10_000, visibilityMs: 30_000 };

export function createEnforcement(config: EnforcementConfig, deps: EnforcementDeps): Enforcement {
  const { redis, snapshot, timer = systemTimer, random = Math.random } = deps;
  const log = deps.log.child({ component: 'enforcement' });
  const pace = { ...defaultPace, ...deps.pace };
  const fallback = config.COA_FALLBACK === 'disconnect';
  const metrics = createEnforcementMetrics(deps.registry);
  const alarms = createAlarms({ log, metrics, timer, onAlarm: deps.onAlarm });
  const failed = createFailures({ log, metrics, timer });
  const clock = createClockWatch(timer, (byMs) => alarms.raise('clock_jumped', 'wall clock', { byMs }));
  const ledger = createEnforcementLedger(redis, deps.node);
  const gate = createBrakeGate(redis);
  const nas = nasById(snapshot);
  const coa = createCoaClient({ source: config.COA_SOURCE, timer, random, metrics, links: deps.links });
  const partitions = createPartitions({
    ledger,
    timer,
    metrics,
    leaseMs: pace.leaseMs,
    visibilityMs: pace.visibilityMs,
  });

  /** The sweep finds it too; the wheel is only sooner. */
  function lookAgain({ owned, session }: Change, atMs: number): void {
    ledger
      .schedule(owned.lease, session, atMs)
      .catch((error) => failed('wheel', error, 'a retry was not scheduled, the sweep finds it'));
  }

  const sender = createSender({
    coa,
    ledger,
    build(change) {
      const { tenantId, nasId } = change.session;
      const told = nas(tenantId, nasId);
      const request = coaRequestFor(change, told, deps.keyring, deps.usesNextSecret?.(nasId));
      if ('match' in request && request.match === 'nearest') {
        const { subscriptionId } = change.session;
        const outcome = formatOutcome(change.desired);
        alarms.raise('speed_policy_missing', `nas ${nasId}`, { tenantId, subscriptionId, nasId, outcome });
      }
      if (!told?.coaOverRadsec || 'reason' in request) return request;
      return { ...request, secret: radsecSecret, overRadsec: told.id };
    },
    enforced: ({ tenantId, nasId }) =>
      modeAt(snapshot.tenant(tenantId)?.mode, nas(tenantId, nasId), timer.nowMs()) === 'enforce',
    disconnects: createDisconnects(timer),
    timer,
    random,
    metrics,
    alarms,
    failed,
    onAction: (action) => {
      noteAction(redis, action).catch((error) =>
        failed('action_log', error, 'an action was not noted for people to see'),
      );
    },
    onRetry: (change, delayMs) => lookAgain(change, timer.nowMs() + delayMs),
    onWithdrawn(change) {
      const { tenantId, nasId } = change.session;
      const nowMs = timer.nowMs();
      lookAgain(change, maintenanceUntil(nas(tenantId, nasId)?.maintenance, nowMs) ?? nowMs);
    },
  });
  const assessing: AssessOptions = { ...deps, look: ledger.look, nas, fallback, clockSteady: clock.steady };
  const reconciler = createReconciler({
    ...assessing,
    profiles: createProfiles(ledger, deps.onPublished ?? (() => {})),
    ledger,
    gate,
    sender,
    timer,
    random,
    metrics,
    alarms,
    failed,
  });
  const sweep = createSweep({
    reconciler,
    gate,
    liveSubscribers: ledger.liveSubscribers,
    nases: snapshot.nasList,
    ownedPartitions: () => new Set(partitions.all().map(({ lease }) => lease.partition)),
    metrics,
  });
  const loop = createEnforcementLoop({
    ledger,
    partitions,
    reconciler,
    sweep,
    ready: () => snapshot.complete(),
    planOf: (who: Subscriber) => snapshot.subscription(who.tenantId, who.subscriptionId)?.planId,
    timer,
    random,
    failed,
    log,
    tickMs: pace.tickMs,
    sweepMs: config.ENFORCEMENT_SWEEP_S * 1000,
  });
  const moves = createMoves({
    ...assessing,
    ledger: createMoveLedger(redis),
    nases: cachedNases(snapshot),
    ...{ partitions, gate, sender, timer, metrics, failed, tickMs: pace.tickMs },
  });
  return {
    ...loop,
    async start() {
      await loop.start();
      moves.start();
    },
    async stop() {
      await moves.stop();
      await loop.stop();
      await sender.idle();
      coa.stop();
    },
  };
}

/** NAS records by id, rebuilt when one changes. */
function nasById(snapshot: EnforcementDeps['snapshot']): (tenantId: number, nasId: number) => NasRecord | undefined {
  let generation: number | undefined;
  let byId = new Map<number, NasRecord>();
  return (tenantId, nasId) => {
    if (generation !== snapshot.nasGeneration()) {
      generation = snapshot.nasGeneration();
      byId = new Map(snapshot.nasList().map((nas) => [nas.id, nas]));
    }
    const found = byId.get(nasId);
    return found?.tenantId === tenantId ? found : undefined;
  };
}
