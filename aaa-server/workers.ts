// The main thread's side of the RADIUS workers: starts and stops them, hears their events, shows what they count.
import { setTimeout as delay } from 'node:timers/promises';
import { type HandedSocket, setsOf } from '#ops/runtime/handed-sockets.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Registry } from '#ops/runtime/metrics.ts';
import { oncePerScrape } from '#ops/runtime/once-per-scrape.ts';
import { registerReportMetrics } from '#ops/runtime/report-metrics.ts';
import { registerDriverMetric } from '#ops/runtime/udp/driver-metric.ts';
import { assertPortFree } from '#ops/runtime/udp.ts';
import { createWorkerGroup } from '#ops/runtime/worker-group.ts';
import { isFree } from '#ops/stores/embedded/ports.ts';
import type { LearnedOfNas } from '#ops/stores/nas-edge.ts';
import { registerCounterMetrics } from './counter-metrics.ts';
import { createRadiusCounterBuffer } from './counters.ts';
import { createTestCalls } from './explain/test-calls.ts';
import type { TestLogin, TestLoginResult } from './explain/test-login.ts';
import type { LoginBatch } from './login-log/log.ts';
import type { OwnWords, ToWorker, WorkerReport, WorkerSettings } from './protocol.ts';
import { mergeNasActivities, type NasActivity } from './radius/nas-activity.ts';
import { quietMoment } from './radius/quiet-moment.ts';
import { mergeUnknownClients, type UnknownReport } from './radius/unknown-clients.ts';
import type { RadsecOrder, RadsecReport } from './radsec/protocol.ts';

export type WorkersOptions = {
  readonly count: number;
  /** The same for all but what tells them apart. */
  readonly settings: Omit<
    WorkerSettings,
    'index' | 'workers' | 'learned' | 'walFolder' | 'reusePort' | 'counters' | 'handed' | 'handedRadsec'
  >;
  walFolder(index: number): string;
  /** Sockets that a supervisor has opened. */
  readonly handed?: readonly HandedSocket[];
  readonly registry: Registry;
  readonly log: Logger;
  /** Partitions in which a session opened or a threshold was crossed. */
  onEvents(partitions: ReadonlySet<number>): void;
  /** What access servers have taught so far, and something new. */
  learned(): readonly LearnedOfNas[];
  onLearned(learned: LearnedOfNas): void;
  /** Rows of the auth log. */
  onLogins(batch: LoginBatch): void;
  /** A worker speaks of its RadSec connections. */
  onRadsec(worker: number, words: RadsecReport): void;
  /** A worker ended by itself: the process must end too. */
  onFatal(error: Error): void;
  /** The program of a worker; another one in tests. */
  readonly script?: URL;
};

export type Workers = Part & {
  /** After `start`. */
  ports(): { readonly authPort: number; readonly acctPort: number };
  /** After `start`; null where RadSec is off. */
  radsecPort(): number | null;
  orderRadsec(worker: number, order: RadsecOrder): void;
  orderRadsecOfAll(order: RadsecOrder): void;
  /** Sources that are no NAS of ours, most packets first. */
  unknownClients(): Promise<UnknownReport>;
  /** What each access server sends, by NAS id. */
  nasActivities(): Promise<ReadonlyMap<number, NasActivity>>;
  /** A login that an operator tries, by one worker; rejects when none answers in time. */
  testLogin(test: TestLogin): Promise<TestLoginResult>;
  /** What access servers have taught another worker or node. */
  teach(learned: readonly LearnedOfNas[]): void;
};

/** So long a successor waits for logins of several rounds, of all workers, to come to their end. */
const conversationsMs = 3000;
/** Longer than a worker waits for its thread that counts. */
const windDownMs = 4000;
/** Most of it dies with its request. What waits for Redis should be answered before the young heap has filled twice: else it moves to the old one. */
const youngHeapMb = 5;

export function createWorkers(options: WorkersOptions): Workers {
  const { count, settings, registry, log, onEvents, onRadsec, onFatal } = options;
  const counters: SharedArrayBuffer[] = [];
  let bound = { authPort: settings.authPort, acctPort: settings.acctPort };
  let udpDriver: string | undefined;
  let { radsec } = settings;
  /** A successor waits. */
  let released = false;
  let woundDown = 0;

  registerCounterMetrics(registry, () => counters.map((buffer) => new Float64Array(buffer)));
  registerDriverMetric(registry, 'lastmile_radius_udp_driver', () => udpDriver);

  /** Of the sockets that the supervisor has opened, those that a worker reads. */
  function handedTo(worker: number) {
    const { addresses, authPort, acctPort } = settings;
    const sets = (name: string, port: number) => setsOf(options.handed ?? [], { name, addresses, port }, worker, count);
    return {
      handed: { auth: sets('radius-auth', authPort), acct: sets('radius-acct', acctPort) },
      handedRadsec: radsec ? sets('radsec', radsec.port) : [],
    };
  }

  const group = createWorkerGroup<ToWorker, OwnWords, WorkerReport>({
    name: 'radius',
    count,
    together: ![settings.authPort, settings.acctPort, radsec?.port].includes(0),
    script: options.script ?? new URL('./radius.worker.ts', import.meta.url),
    youngHeapMb,
    log,
    dataOf(index): WorkerSettings {
      const buffer = createRadiusCounterBuffer();
      counters.push(buffer);
      // The first one says which ports the system chose, when it was asked to.
      const learned = options.learned();
      return {
        ...settings,
        ...bound,
        radsec,
        index,
        workers: count,
        reusePort: count > 1,
        ...handedTo(index),
        learned,
        walFolder: options.walFolder(index),
        counters: buffer,
      };
    },
    onMessage(message, worker) {
      switch (message.type) {
        case 'ready':
          bound = { authPort: message.authPort, acctPort: message.acctPort };
          udpDriver = message.udpDriver;
          if (radsec && message.radsecPort !== null) radsec = { ...radsec, port: message.radsecPort };
          log.info(
            {
              ...{ worker, addresses: settings.addresses, ...bound, udp: message.udpDriver },
              ...(radsec ? { radsecPort: radsec.port } : {}),
            },
            'listening',
          );
          return;
        case 'wound_down':
          woundDown++;
          return;
        case 'radsec_connection':
        case 'radsec_answer':
          return onRadsec(worker, message);
        case 'radsec_hand_over': {
          const { to, ...handed } = message;
          return group.tell(to, { ...handed, type: 'radsec_handed_over', from: worker });
        }
        case 'radsec_hand_back': {
          const { to, ...handed } = message;
          return group.tell(to, { ...handed, type: 'radsec_handed_back' });
        }
        case 'hand_over':
          return group.tell(message.worker, { type: 'handed_over', datagram: message.datagram });
        case 'events':
          return onEvents(message.partitions);
        case 'logins':
          return options.onLogins(message.batch);
        case 'tested_login':
          return tests.answered(message.id, message.result);
        case 'learned':
          return options.onLearned(message.learned);
        default:
          message satisfies never;
      }
    },
    onFatal,
  });
  const reportsOfScrape = oncePerScrape(group.reports);
  const tests = createTestCalls((id, test) => group.tell(id % count, { type: 'test_login', id, test }));

  /** Counting ends in every worker, while it goes on answering. */
  async function windDown(): Promise<void> {
    group.tellAll({ type: 'wind_down' });
    const deadline = performance.now() + windDownMs;
    while (woundDown < count && performance.now() < deadline) await delay(10);
  }

  const conversing = async () => (await group.reports()).reduce((sum, report) => sum + report.conversing, 0);

  return {
    ...group,
    stopTimeoutMs: windDownMs + conversationsMs + (group.stopTimeoutMs ?? 0),
    release() {
      released = true;
    },
    async stop() {
      if (released) {
        await windDown();
        // Each look asks the workers for a whole report.
        await quietMoment(conversing, { patienceMs: conversationsMs, everyMs: 50 }, () => performance.now());
      }
      await group.stop();
    },
    async start() {
      const { handed, handedRadsec } = handedTo(0);
      if (settings.authPort !== 0 && handed.auth.length === 0)
        await assertPortFree(settings.addresses, settings.authPort);
      if (settings.acctPort !== 0 && handed.acct.length === 0)
        await assertPortFree(settings.addresses, settings.acctPort);
      // Shared listening would split connections with a second server without a word.
      for (const address of radsec && radsec.port !== 0 && handedRadsec.length === 0 ? settings.addresses : []) {
        if (!(await isFree(radsec?.port ?? 0, address))) {
          throw new Error(`port ${radsec?.port} of ${address} (RADSEC_PORT) is in use, or not allowed`);
        }
      }
      await group.start();
      registerReportMetrics(registry, await group.reports(), reportsOfScrape);
    },
    ports: () => bound,
    testLogin: tests.ask,
    teach: (learned) => group.tellAll({ type: 'learned', learned }),
    radsecPort: () => radsec?.port ?? null,
    orderRadsec: group.tell,
    orderRadsecOfAll: group.tellAll,
    unknownClients: async () =>
      mergeUnknownClients((await group.reports()).map(({ unknownClients }) => unknownClients)),
    nasActivities: async () => mergeNasActivities((await reportsOfScrape()).map(({ nasActivities }) => nasActivities)),
  };
}
