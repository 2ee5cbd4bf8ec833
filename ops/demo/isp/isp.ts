// The simulated ISP: its access servers and subscribers, moved on every fifty milliseconds.
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#ops/runtime/errors.ts';
import { createNetwork, type Mishaps, type Weather } from '../radius/weather.ts';
import type { Random } from '../random.ts';
import { activity, virtualMinute } from '../traffic/virtual-day.ts';
import { type AccessServer, createAccessServer } from './access-server.ts';
import type { Meters } from './meters.ts';
import type { Tap } from './session-table.ts';
import { type NasSockets, openSockets, type RadiusServerAddress } from './sockets.ts';
import { createStory } from './story.ts';
import type { Subscriber } from './subscriber.ts';

export type IspOptions = {
  readonly subscribers: readonly Subscriber[];
  /** Of the access servers, one each. */
  readonly addresses: readonly string[];
  readonly coaPort: number;
  readonly secret: string;
  readonly server: RadiusServerAddress;
  readonly durationMs: number | null;
  readonly interimMs: number;
  readonly factor: number;
  readonly weather: Weather;
  readonly random: Random;
  readonly meters: Meters;
  nowMs(): number;
  /** What sees the traffic of access server number `place`. */
  tap(place: number): Tap & { tick(nowMs: number): void };
  suspend(subscriber: Subscriber): void;
};

export type Isp = {
  /** What the session ids of this run begin with. */
  readonly run: string;
  readonly servers: readonly AccessServer[];
  readonly subscribers: readonly Subscriber[];
  readonly mishaps: Readonly<Mishaps>;
  /** Since the first login was possible. */
  elapsedMs(): number;
  minuteOfDay(): number;
  /** @throws EADDRINUSE when an address is taken. */
  start(): Promise<void>;
  /** Stops every session and waits until all is acknowledged, at most `patienceMs`; false when something was not. */
  hangUpAll(patienceMs: number): Promise<boolean>;
  stop(): Promise<void>;
};

const tickMs = 50;
const silenceMs = 15_000;
const mistypeShare = 0.03;

export function createIsp(options: IspOptions): Isp {
  const { subscribers, addresses, random, meters, nowMs, factor, weather } = options;
  const mishaps: Mishaps = { lost: 0, doubled: 0, late: 0 };
  const later = (run: () => void, delayMs: number) => void setTimeout(run, delayMs).unref();
  const network = createNetwork(weather, { random, mishaps, later });
  const sockets: NasSockets[] = [];
  const taps = addresses.map((_, place) => options.tap(place));
  const run = Math.floor(random() * 0x10000)
    .toString(16)
    .padStart(4, '0');
  const servers = addresses.map((address, place) =>
    createAccessServer({
      name: `bras${place + 1}`,
      address,
      place,
      secret: options.secret,
      run,
      interimMs: options.interimMs,
      factor,
      random,
      meters,
      nowMs,
      tap: taps[place] ?? { opened: () => undefined, closed: () => undefined },
      send: (kind, datagram, left) => sockets[place]?.send(kind, datagram, left),
    }),
  );
  const story = createStory({ ...options, servers });
  const loginsPerS = Math.max(25, subscribers.length / 10);
  let timer: NodeJS.Timeout | undefined;
  let startedMs = nowMs();
  let lastMs = nowMs();
  let loginsAllowed = 0;
  let closing = false;

  function logIn(atMs: number, elapsedMs: number): void {
    loginsAllowed = Math.min(loginsPerS / 4, loginsAllowed + (loginsPerS * elapsedMs) / 1000);
    for (const [index, subscriber] of subscribers.entries()) {
      if (loginsAllowed < 1) return;
      if (subscriber.state !== 'offline' || atMs < subscriber.nextLoginMs) continue;
      const server = servers[index % servers.length];
      if (server?.phase() !== 'up') continue;
      loginsAllowed--;
      subscriber.mistypes = random() < mistypeShare;
      server.logIn(subscriber);
    }
  }

  function watch(server: AccessServer, atMs: number): void {
    const { sinceMs } = server.unanswered();
    if (sinceMs !== null && atMs - sinceMs > silenceMs)
      meters.diary.note('trouble', `${server.name} gets no answer to its accounting`);
  }

  function tick(): void {
    const atMs = nowMs();
    const elapsedMs = atMs - lastMs;
    lastMs = atMs;
    if (servers.every((server) => server.phase() !== 'up') && meters.accepts === 0) startedMs = atMs;
    const busy = activity(virtualMinute(atMs - startedMs, factor));
    if (!closing) {
      story.tick(atMs - startedMs);
      logIn(atMs, elapsedMs);
    }
    for (const server of servers) {
      server.tick(atMs, elapsedMs, busy);
      if (Math.floor(atMs / 1000) !== Math.floor((atMs - elapsedMs) / 1000)) watch(server, atMs);
    }
    for (const tap of new Set(taps)) tap.tick(atMs);
  }

  return {
    run,
    servers,
    subscribers,
    mishaps,
    elapsedMs: () => nowMs() - startedMs,
    minuteOfDay: () => virtualMinute(nowMs() - startedMs, factor),
    async start() {
      for (const [place, server] of servers.entries()) {
        const { address, receive, answerTo } = server;
        const failed = (error: Error) => meters.diary.note('trouble', `${server.name}: ${messageOf(error)}`);
        sockets[place] = await openSockets({ ...options, address, network, receive, answerTo, failed });
      }
      const spreadMs = (subscribers.length / loginsPerS) * 1000;
      for (const subscriber of subscribers) subscriber.nextLoginMs = nowMs() + random() * spreadMs;
      lastMs = nowMs();
      timer = setInterval(tick, tickMs);
    },
    async hangUpAll(patienceMs) {
      closing = true;
      for (const server of servers) server.close();
      const endMs = nowMs() + patienceMs;
      const unanswered = () => servers.some((server) => server.unanswered().count > 0);
      // Late datagrams are repetitions by then, and are to be proven harmless too.
      while ((unanswered() || network.underWay() > 0) && nowMs() < endMs) await delay(tickMs);
      return !unanswered();
    },
    async stop() {
      closing = true;
      clearInterval(timer);
      await Promise.all(sockets.splice(0).map((each) => each.close()));
    },
  };
}
