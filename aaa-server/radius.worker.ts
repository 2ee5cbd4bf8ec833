// One RADIUS worker thread: its own sockets, its own write-ahead log, the shared snapshot. Composition only.
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { parentPort } from 'node:worker_threads';
import { createLogMetrics } from '#ops/lanes/metrics.ts';
import { systemClock } from '#ops/runtime/clock.ts';
import { openCrypt } from '#ops/runtime/crypt.ts';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { startAll } from '#ops/runtime/lifecycle.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { setThreadPriority } from '#ops/runtime/priority.ts';
import { metricsOf } from '#ops/runtime/report-metrics.ts';
import { loadCalls } from '#ops/runtime/udp/mmsg/calls.ts';
import { beginning, loadWorker } from '#ops/runtime/worker-begin.ts';
import { createRedisLink } from '#ops/stores/redis-link.ts';
import { countingScript, openAccounting } from './accounting/accounting.ts';
import { createAccountingReceiver } from './accounting/receive.ts';
import { methodMakers } from './auth/eap/methods.ts';
import { createRefusedAnswer } from './auth/refused-answer.ts';
import { createCounters } from './counters.ts';
import { createTestLogins } from './explain/test-login.ts';
import { createLoginLog } from './login-log/log.ts';
import { createLoginNetwork } from './network/network.ts';
import { reserveOwner } from './network/reserve.ts';
import type { FromWorker, ToWorker, WorkerSettings } from './protocol.ts';
import { createProxy } from './proxy/proxy.ts';
import { createAdmission } from './radius/admission.ts';
import { createAnswerLogin } from './radius/answer-login.ts';
import { createRadiusHandler } from './radius/handler.ts';
import { createOncePer } from './radius/once-per.ts';
import { quietMoment } from './radius/quiet-moment.ts';
import { createRandomOctets } from './radius/random-octets.ts';
import { keepAnswers, keptAnswers } from './radius/recent-answers.ts';
import { createRememberedLogins } from './radius/remembered-logins.ts';
import { createRadiusServer } from './radius/server.ts';
import { createThreadLoad } from './radius/thread-load.ts';
import { createTrust } from './radius/trust.ts';
import { createRadsecServer } from './radsec/server.ts';
import { createChanges } from './subscribers/changes.ts';
import { openSnapshotReader } from './subscribers/reader.ts';

if (!parentPort) throw new Error('radius.worker.ts runs as a worker thread of aaa-server');
const main = parentPort;
/** Little of it outlives a record. */
const countingHeapMb = 4;
// What takes long and depends on nothing but this machine, while a predecessor still serves.
const thread = loadWorker(countingScript, 'counting', countingHeapMb);
const [crypt] = await Promise.all([openCrypt(), loadCalls()]);
const settings = await beginning<WorkerSettings>(thread.loaded);
const tell = (message: FromWorker) => main.postMessage(message);

await setThreadPriority('answers');
const clock = systemClock;
const log = createLogger('aaa-server', settings.logLevel).child({ worker: settings.index });
const keyring = createKeyring(settings.masters);
const classKey = keyring.derive('class');
const counters = createCounters(settings.counters);
const registry = new Registry();
const oncePerMinute = createOncePer(60_000, clock);
const changes = {
  snapshot: createChanges(settings.changes.snapshot),
  profiles: createChanges(settings.changes.profiles),
};
const snapshot = openSnapshotReader({ path: settings.snapshotPath, marksStandMs: 5, changes });
const redis = createRedisLink({ url: settings.redisUrl, name: `aaa-server worker ${settings.index}`, log });
const accounting = await openAccounting({
  thread,
  folder: settings.walFolder,
  settings,
  metrics: createLogMetrics(registry, 'accounting'),
  registry,
  log,
  onEvents: (partitions) => tell({ type: 'events', partitions }),
});
const uuid = createRandomOctets(16);
const network = createLoginNetwork({
  ...{ snapshot, redis, clock, registry, log },
  owner: reserveOwner(settings.walFolder, randomUUID()),
  budgetMs: settings.loginLedgerMs,
});
const trust = createTrust({
  windowMs: settings.learnWindowMs,
  nowMs: clock.nowMs,
  onLearned: (learned) => tell({ type: 'learned', learned }),
});
trust.hear(settings.learned);
const warn = (message: string, fields: Readonly<Record<string, unknown>>) => log.warn(fields, message);
const proxy = createProxy({
  ...{ snapshot, keyring, clock, registry, warn, node: settings.eap.node, worker: settings.index },
  own: () => ({ addresses: settings.addresses, ports: [settings.authPort, settings.acctPort] }),
  logs: {
    root: settings.proxy.root,
    own: path.basename(settings.walFolder),
    // One looks after what workers left behind that are no longer there.
    workers: settings.index === 0 ? new Set(settings.proxy.workers) : null,
    keeping: settings.proxy.keeping,
  },
});
const loginLog = createLoginLog({
  ...{ snapshot, clock, node: settings.eap.node, worker: settings.index, ...settings.loginLog },
  send: (batch) => tell({ type: 'logins', batch }),
});
const later = (callback: () => void, ms: number) => void setTimeout(callback, ms);
const handler = createRadiusHandler({
  snapshot,
  keyring,
  clock,
  counters,
  rejectDelayMs: settings.rejectDelayMs,
  trust,
  admission: createAdmission(createThreadLoad({ ...settings, workOffMs: 3000, port: () => server.bound().authPort })),
  crypt,
  eap: {
    ...settings.eap,
    worker: settings.index,
    makers: methodMakers(settings.eap.methods, settings.eap.identity, snapshot),
  },
  handOver: (worker, datagram) => tell({ type: 'hand_over', worker, datagram }),
  authorize: createAnswerLogin({
    snapshot,
    clock,
    classKey,
    feedSilence: settings.feedSilence,
    network,
    random: Math.random,
    uuid,
    onNearestSpeed(nas, outcome) {
      counters.count('signs', 'speed_policy_nearest');
      if (oncePerMinute(`${nas.id} ${outcome}`)) {
        log.warn({ nas: nas.id, outcome }, 'the access server has no policy of this speed, a lower one stands in');
      }
    },
  }),
  proven: settings.proven,
  remembered: createRememberedLogins({ snapshot, classKey, random: Math.random, counters, uuid }),
  proxy,
  refusedAnswer: createRefusedAnswer({ snapshot, clock, classKey, workers: settings.workers, uuid }),
  receiveAccounting: createAccountingReceiver({ snapshot, classKey }),
  append: accounting.append,
  loginLog,
  later,
  warn,
});
const testLogin = createTestLogins({ handler, snapshot, keyring, clock, later });
const server = createRadiusServer({
  ...settings,
  handler,
  counters,
  // What the kernel does not grant, it grants no worker: the first one tells.
  warn: settings.index === 0 ? (message, fields) => log.warn(fields, message) : () => {},
  // Uncaught in this thread: the main thread hears of it and ends the process.
  onFatal: (error) => {
    throw error;
  },
});
const radsec = settings.radsec
  ? createRadsecServer({
      ...{ ...settings, ...settings.radsec },
      ...{ handler, snapshot, counters, clock, registry, tell },
      warn: (message, fields) => log.warn(fields, message),
      onFatal: (error) => {
        throw error;
      },
    })
  : null;
const reader = { name: 'snapshot reader', start: async () => {}, stop: () => snapshot.close() };

const forgotten = (error: unknown) =>
  log.warn({ err: error }, 'what was answered before the restart cannot be read: a request repeated now counts as new');
for (const recent of await keptAnswers(settings.walFolder, settings.workers, clock.nowMs(), forgotten)) {
  handler.recall(recent);
}
const running = await startAll(
  [reader, loginLog, redis, network, accounting, proxy, ...(radsec ? [radsec] : []), server],
  log,
);

/** A successor waits. */
let givesWay = false;
main.on('message', async (message: ToWorker) => {
  switch (message.type) {
    case 'report': {
      const metrics = await metricsOf(registry);
      const report = {
        unknownClients: handler.unknownClients(),
        nasActivities: handler.nasActivities(),
        conversing: handler.conversing(),
        metrics,
      };
      return tell({ type: 'report', id: message.id, report });
    }
    case 'test_login': {
      const result = await testLogin(message.test).catch((error) => {
        log.warn({ err: error }, 'a login that was tried ended in an error');
        return null;
      });
      return tell({ type: 'tested_login', id: message.id, result });
    }
    case 'learned':
      return trust.hear(message.learned);
    case 'radsec_material':
    case 'radsec_send':
    case 'radsec_distrust':
    case 'radsec_handed_over':
    case 'radsec_handed_back':
      radsec?.order(message);
      return;
    case 'handed_over':
      return server.receive(message.datagram);
    case 'wind_down':
      givesWay = true;
      await accounting.endCounting();
      return tell({ type: 'wound_down' });
    case 'stop':
      // Logins begin all the time: those that did since all workers were quiet. The others wait for this one, so not for long.
      if (givesWay) await quietMoment(handler.conversing, { patienceMs: 500, everyMs: 3 }, clock.monotonicMs);
      // Nothing new by either way; then all that was taken is answered by the way it came.
      radsec?.stopReceiving();
      await running.stop();
      try {
        await keepAnswers(settings.walFolder, settings.workers, handler.recentAnswers(), clock.nowMs());
      } catch (error) {
        log.warn({ err: error }, 'what was answered lately is not kept: a request repeated now counts as new');
      }
      tell({ type: 'stopped' });
      return main.close();
    default:
      message satisfies never;
  }
});
tell({ type: 'ready', ...server.bound(), radsecPort: radsec?.port() ?? null });
