// Sums a run up: the figures of the simulation, what the witnesses said, and the verdict.
import type { RouterCounts } from './flow/router.ts';
import type { Isp } from './isp/isp.ts';
import type { Meters } from './isp/meters.ts';
import type { ByteCount, Subscriber } from './isp/subscriber.ts';
import type { Testimony } from './proof/witness.ts';
import type { Mishaps } from './radius/weather.ts';
import type { Percentiles, View } from './screen/view.ts';

export type Summary = {
  readonly durationS: number;
  readonly subscribers: number;
  readonly accessServers: number;
  readonly timeFactor: number;
  readonly logins: { readonly accepted: number; readonly rejected: number; readonly unanswered: number };
  readonly accounting: {
    readonly acknowledgedBytes: number;
    /** Reported in records that were never answered. */
    readonly unansweredBytes: number;
    /** Carried, but never reported: lost with the sessions of an access server that failed. */
    readonly unreportedBytes: number;
    readonly sentAgain: number;
    readonly responseMs: Percentiles;
  };
  readonly enforcement: {
    readonly crossings: number;
    readonly requests: number;
    readonly acknowledged: number;
    readonly lagMs: Percentiles;
  };
  readonly reboots: { readonly count: number; readonly sessionsLost: number };
  readonly mishaps: Readonly<Mishaps>;
  readonly flows: RouterCounts & {
    readonly collector: string;
    readonly exportedBytes: number;
    readonly lostBytes: number;
  };
  readonly testimonies: readonly Testimony[];
  /** Who could not be asked, and why. */
  readonly absent: readonly string[];
  readonly errors: readonly string[];
  readonly allBytesAccountedFor: boolean;
};

export type SummarizeOptions = {
  readonly elapsedS: number;
  readonly isp: Isp;
  readonly meters: Meters;
  readonly factor: number;
  readonly view: View;
  readonly exported: Readonly<RouterCounts>;
  readonly testimonies: readonly Testimony[];
  /** Who could not be asked, and why. */
  readonly absent: readonly string[];
  readonly errors: readonly string[];
};

export function summarize(options: SummarizeOptions): Summary {
  const { isp, meters, view, testimonies } = options;
  const sum = (pick: (subscriber: Subscriber) => ByteCount) =>
    isp.subscribers.reduce((total, subscriber) => total + pick(subscriber).up + pick(subscriber).down, 0);
  const [acked, sent, carried] = [sum((one) => one.acked), sum((one) => one.sent), sum((one) => one.carried)];
  return {
    durationS: Math.round(options.elapsedS * 10) / 10,
    subscribers: isp.subscribers.length,
    accessServers: isp.servers.length,
    timeFactor: options.factor,
    logins: { accepted: meters.accepts, rejected: meters.rejects, unanswered: meters.loginTimeouts },
    accounting: {
      acknowledgedBytes: acked,
      unansweredBytes: sent - acked,
      unreportedBytes: carried - sent,
      sentAgain: view.retransmissions,
      responseMs: view.responseMs,
    },
    enforcement: {
      crossings: meters.crossings,
      requests: view.dynamicRequests,
      acknowledged: view.dynamicAcked,
      lagMs: view.lagMs,
    },
    reboots: { count: meters.reboots, sessionsLost: meters.sessionsLost },
    mishaps: { ...isp.mishaps },
    flows: {
      collector: `flow-collector: ${view.flow}`,
      ...options.exported,
      exportedBytes: view.flowBytes,
      lostBytes: view.flowLostBytes,
    },
    testimonies,
    absent: options.absent,
    errors: options.errors,
    allBytesAccountedFor: testimonies.every(({ differences, problem }) => differences.length === 0 && problem === null),
  };
}
