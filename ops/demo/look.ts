// Makes the view of a run: what the simulation knows and what was last seen of Lastmile, with a little history.

import type { RouterCounts } from './flow/router.ts';
import type { Isp } from './isp/isp.ts';
import type { Meters } from './isp/meters.ts';
import type { ByteCount } from './isp/subscriber.ts';
import type { ServerView, View } from './screen/view.ts';
import { clockText } from './traffic/virtual-day.ts';

export type LookOptions = {
  readonly isp: Isp;
  readonly meters: Meters;
  readonly durationS: number | null;
  readonly factor: number;
  /** Of all routers. */
  exported(): Readonly<RouterCounts>;
  nowMs(): number;
  backlogBytes(): number | null;
  flow(): string;
  notice(): string | null;
};

export type Look = {
  /** Adds to the history of the traffic; to be called at even distances. */
  remember(): void;
  view(): View;
};

const historyLength = 120;

export function createLook(options: LookOptions): Look {
  const { isp, meters, factor, nowMs } = options;
  const downHistory: number[] = [];
  const upHistory: number[] = [];
  const bps = (bytesPerS: number) => (bytesPerS * 8) / factor;

  function serverViews(atMs: number): ServerView[] {
    return isp.servers.map((server) => {
      const sessions = [...server.sessions().values()];
      return {
        name: server.name,
        address: server.address,
        phase: server.phase(),
        online: sessions.length,
        throttled: sessions.filter(({ subscriber }) => subscriber.throttled).length,
        downBps: bps(server.bytesDown.perSecond(atMs)),
        upBps: bps(server.bytesUp.perSecond(atMs)),
        accountingPerS: server.accounting.perSecond(atMs),
        dynamicRequests: server.dynamic.coa + server.dynamic.disconnects,
      };
    });
  }

  const totalOf = (pick: (subscriber: Isp['subscribers'][number]) => ByteCount) =>
    isp.subscribers.reduce((sum, subscriber) => sum + pick(subscriber).up + pick(subscriber).down, 0);

  return {
    remember() {
      downHistory.push(bps(meters.bytesDown.perSecond(nowMs())));
      upHistory.push(bps(meters.bytesUp.perSecond(nowMs())));
      for (const history of [downHistory, upHistory]) if (history.length > historyLength) history.shift();
    },
    view() {
      const atMs = nowMs();
      const servers = serverViews(atMs);
      const { mishaps } = isp;
      return {
        elapsedS: isp.elapsedMs() / 1000,
        durationS: options.durationS,
        factor,
        clock: clockText(isp.minuteOfDay()),
        subscribers: isp.subscribers.length,
        online: servers.reduce((sum, { online }) => sum + online, 0),
        loginsPerS: meters.logins.perSecond(atMs),
        accepts: meters.accepts,
        rejects: meters.rejects,
        downBps: bps(meters.bytesDown.perSecond(atMs)),
        upBps: bps(meters.bytesUp.perSecond(atMs)),
        downHistory,
        upHistory,
        accountingPerS: meters.accounting.perSecond(atMs),
        responseMs: { p50: meters.responseMs.percentile(0.5), p99: meters.responseMs.percentile(0.99) },
        retransmissions: isp.servers.reduce((sum, { radius }) => sum + radius.retransmissions, 0),
        mishaps: mishaps.lost + mishaps.doubled + mishaps.late + options.exported().lost,
        throttled: servers.reduce((sum, { throttled }) => sum + throttled, 0),
        dynamicRequests: servers.reduce((sum, { dynamicRequests }) => sum + dynamicRequests, 0),
        dynamicAcked: isp.servers.reduce((sum, { dynamic }) => sum + dynamic.acked, 0),
        lagMs: { p50: meters.lagMs.percentile(0.5), p99: meters.lagMs.percentile(0.99) },
        radiusBytes: totalOf(({ acked }) => acked),
        flowBytes: totalOf(({ exported }) => exported),
        flowLostBytes: totalOf(({ exportLost }) => exportLost),
        backlogBytes: options.backlogBytes(),
        flow: options.flow(),
        notice: options.notice(),
        servers,
        events: meters.diary.last(100),
      };
    },
  };
}
