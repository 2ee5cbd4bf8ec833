// What a worker counts of the home servers that it asks, and of the accounting that it forwards.
import { Counter, Gauge, Histogram, type Registry } from '#ops/runtime/metrics.ts';
import { code } from '../wire/packet.ts';
import { type ServerState, serverStates } from './health.ts';

export type HomePortMetrics = {
  asked(kind: 'access' | 'accounting' | 'status'): void;
  answered(replyCode: number, seconds: number): void;
  unanswered(): void;
  /** A datagram that is not the answer. */
  refused(reason: string): void;
};

export type ProxyMetrics = ReturnType<typeof createProxyMetrics>;

export type HomePortLabels = { readonly tenant: string; readonly home_server: string; readonly port: string };

const answers = new Map<number, string>([
  [code.accessAccept, 'accept'],
  [code.accessReject, 'reject'],
  [code.accessChallenge, 'challenge'],
  [code.accountingResponse, 'accounting'],
]);
const ofPort = ['tenant', 'home_server', 'port'] as const;
const ofDestination = ['tenant', 'destination'] as const;
export type DestinationLabels = { readonly tenant: string; readonly destination: string };
const lossReasons = ['expired', 'overflow', 'refused', 'damaged', 'too_long'] as const;
export type LossReason = (typeof lossReasons)[number];

/** What is looked up when the metrics are asked for. */
export type ObservedProxy = {
  outstanding(): Iterable<{ readonly labels: HomePortLabels; readonly requests: number }>;
  waiting(): Iterable<{ readonly labels: DestinationLabels; readonly bytes: number; readonly lagS: number }>;
};

export function createProxyMetrics(registry: Registry, worker: number, observed: ObservedProxy) {
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
    new Counter<T>({ name: `lastmile_proxy_${name}`, help, labelNames, registers });
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
    new Gauge<T>({ name: `lastmile_proxy_${name}`, help, labelNames, registers });

  const asked = counter('requests_total', 'Requests sent to home servers, repetitions not included', [
    ...ofPort,
    'kind',
  ]);
  const answered = counter('replies_total', 'Answers of home servers that are provably theirs', [...ofPort, 'answer']);
  const unanswered = counter('unanswered_total', 'Requests that a home server left unanswered', ofPort);
  const refused = counter('refused_total', 'Datagrams from or instead of a home server that are no answer, by reason', [
    ...ofPort,
    'reason',
  ]);
  const seconds = new Histogram({
    name: 'lastmile_proxy_seconds',
    help: 'How long home servers took to answer',
    labelNames: ofPort,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  const states = gauge('home_server_state', 'Workers that see a home server in this state', [...ofPort, 'state']);
  new Gauge({
    name: 'lastmile_proxy_outstanding',
    help: 'Requests that wait for the answer of a home server',
    labelNames: ofPort,
    registers,
    collect() {
      this.reset();
      for (const { labels, requests } of observed.outstanding()) this.set(labels, requests);
    },
  });
  new Gauge({
    name: 'lastmile_proxy_accounting_backlog_bytes',
    help: 'Bytes of accounting that wait to be forwarded',
    labelNames: ofDestination,
    registers,
    collect() {
      this.reset();
      for (const { labels, bytes } of observed.waiting()) this.inc(labels, bytes);
    },
  });
  new Gauge({
    name: 'lastmile_proxy_accounting_lag_seconds',
    help: 'Age of the oldest accounting record that waits to be forwarded, of each worker',
    labelNames: [...ofDestination, 'worker'],
    registers,
    collect() {
      this.reset();
      const oldest = new Map<string, number>();
      for (const { labels, lagS } of observed.waiting()) {
        const place = JSON.stringify(labels);
        // A worker may look after the log of another one beside its own.
        oldest.set(place, Math.max(oldest.get(place) ?? 0, lagS));
        this.set({ ...labels, worker: String(worker) }, oldest.get(place) ?? 0);
      }
    },
  });
  const unserved = counter('unserved_total', 'Logins that no home server decided, by what the access server got', [
    'tenant',
    'realm',
    'answer',
  ]);
  const leftOut = counter(
    'reply_attributes_left_out_total',
    'Attributes of replies that the realm does not let through',
    ['tenant', 'realm'],
  );
  const lost = counter('accounting_lost_total', 'Accounting records that will not be forwarded, by reason', [
    ...ofDestination,
    'reason',
  ]);
  const loops = new Counter({
    name: 'lastmile_proxy_accounting_loops_total',
    help: 'Accounting records that came back through another proxy: answered, not forwarded again',
    registers,
  });
  const forwarded = counter('accounting_forwarded_total', 'Accounting records that a server has taken', ofDestination);

  return {
    unserved,
    loops,
    leftOut,
    ofPort(labels: HomePortLabels): HomePortMetrics {
      unanswered.inc(labels, 0);
      return {
        asked: (kind) => asked.inc({ ...labels, kind }),
        answered(replyCode, took) {
          answered.inc({ ...labels, answer: answers.get(replyCode) ?? 'other' });
          seconds.observe(labels, took);
        },
        unanswered: () => unanswered.inc(labels),
        refused: (reason) => refused.inc({ ...labels, reason }),
      };
    },
    showState(labels: HomePortLabels, state: ServerState): void {
      for (const one of serverStates) states.set({ ...labels, state: one }, one === state ? 1 : 0);
    },
    forgetState(labels: HomePortLabels): void {
      for (const state of serverStates) states.remove({ ...labels, state });
    },
    ofDestination(labels: DestinationLabels) {
      forwarded.inc(labels, 0);
      for (const reason of lossReasons) lost.inc({ ...labels, reason }, 0);
      return {
        forwarded: () => forwarded.inc(labels),
        lost: (reason: LossReason, count = 1) => lost.inc({ ...labels, reason }, count),
      };
    },
  };
}
