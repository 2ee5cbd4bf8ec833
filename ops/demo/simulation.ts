// One run put together: subscribers, access servers and routers against a Lastmile, what is seen of them, and the proof at the end.
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#ops/runtime/errors.ts';
import { createExporters } from './flow/exporters.ts';
import { createIsp } from './isp/isp.ts';
import { createDiary, createMeters, type DemoEvent } from './isp/meters.ts';
import { createSubscriber, type Subscriber } from './isp/subscriber.ts';
import { type FlowCounts, knowsExporters, readBacklog } from './lastmile-metrics.ts';
import { createWatch } from './lastmile-watch.ts';
import { createLook, type Look } from './look.ts';
import { findPlaces, routerOf, serverCount } from './places.ts';
import type { Prepared } from './prepare.ts';
import { hear, type Testimony, type Witness } from './proof/witness.ts';
import { callWitnesses } from './proof/witnesses.ts';
import { changeable } from './radius/weather.ts';
import { createRandom } from './random.ts';
import { wholeText } from './screen/units.ts';
import { type Summary, summarize } from './summarize.ts';
import { timeFactor } from './traffic/virtual-day.ts';

export type Simulation = {
  readonly look: Look;
  /** Notes what the supervisor of the processes says. */
  note(line: string): void;
  start(): Promise<void>;
  /** Stops every session, asks the witnesses and sums up. */
  conclude(): Promise<Summary>;
  stop(): Promise<void>;
};

export type SimulationOptions = Prepared & {
  /** null: until Ctrl-C. */
  readonly durationS: number | null;
  readonly seed: number;
  /** Hears every event. */
  listen?(event: DemoEvent): void;
  /** Things that went wrong outside of the simulation. */
  troubles(): readonly string[];
};

const lostExports = 0.01;
const historyEveryMs = 2000;
const suspensionMs = 12_000;
const patienceMs = 60_000;
/** flow-collector reads every five seconds whose address is whose. */
const knownPatienceMs = 20_000;

export async function createSimulation(options: SimulationOptions): Promise<Simulation> {
  const { lastmile, tenant, api, known, durationS, troubles } = options;
  const random = createRandom(options.seed);
  const nowMs = () => performance.timeOrigin + performance.now();
  const meters = createMeters(createDiary(nowMs, options.listen));
  const { diary } = meters;
  const factor = timeFactor(durationS);
  const subscribers = known.map((each) => createSubscriber(each, random));
  const places = await findPlaces(serverCount(subscribers.length), tenant.nas.coaPort, tenant.otherAddresses);
  const watch = createWatch({ lastmile, api, diary, exporters: places.routers });
  const exporters = createExporters({
    addresses: places.routers,
    to: lastmile.netflow,
    lostShare: lostExports,
    random,
    nowMs,
    failed: (error) => diary.note('trouble', `a router cannot export: ${messageOf(error)}`),
  });
  const isp = createIsp({
    subscribers,
    addresses: places.servers,
    coaPort: tenant.nas.coaPort,
    secret: tenant.nas.secret,
    server: lastmile.radius,
    durationMs: durationS === null ? null : durationS * 1000,
    interimMs: interimOf(subscribers.length, durationS),
    factor,
    weather: changeable,
    random,
    meters,
    nowMs,
    tap: (place) => exporters.router(routerOf(place)),
    suspend,
  });
  let notice = tenant.muted === null ? null : `no CoA will come: ${tenant.muted}`;
  let timer: NodeJS.Timeout | undefined;
  let flowSawAll = false;
  let sinceMs = 0;
  const look = createLook({
    isp,
    exported: exporters.counts,
    meters,
    durationS,
    factor,
    nowMs,
    backlogBytes: watch.backlogBytes,
    flow: () => (watch.flowRuns() ? flowText(watch.flows()) : 'not running'),
    notice: () => notice,
  });

  function suspend(subscriber: Subscriber): void {
    const { userName, subscriptionId } = subscriber;
    diary.note('office', `the office suspends ${userName} for abuse, for ${suspensionMs / 1000} s`);
    api
      .suspend(subscriptionId, new Date(nowMs() + suspensionMs))
      .catch((error: unknown) => diary.note('trouble', `${userName} cannot be suspended: ${messageOf(error)}`));
  }

  /** Flows of a router that flow-collector cannot place yet would be nobody's. */
  async function routersAreKnown(): Promise<boolean> {
    for (const endMs = nowMs() + knownPatienceMs; nowMs() < endMs; await delay(250)) {
      exporters.announce();
      if (await knowsExporters(lastmile.flowUrl, places.routers)) return true;
    }
    return false;
  }

  async function ask(witness: Witness): Promise<Testimony> {
    notice = `asking ${witness.name} what each subscriber has used`;
    return hear(witness, subscribers, { patienceMs, nowMs, pause: () => delay(250) });
  }

  return {
    look,
    note: (line) => diary.note(/ended unexpectedly/.test(line) ? 'trouble' : 'change', line),
    async start() {
      await exporters.start();
      await watch.start();
      flowSawAll = watch.flowRuns() && (await routersAreKnown());
      sinceMs = nowMs();
      await isp.start();
      timer = setInterval(look.remember, historyEveryMs);
    },
    async conclude() {
      notice = 'every session says its last word';
      const elapsedS = isp.elapsedMs() / 1000;
      const online = look.view();
      if (!(await isp.hangUpAll(patienceMs))) diary.note('trouble', 'accounting was not answered until the end');
      notice = 'waiting until Lastmile has counted everything';
      const endMs = nowMs() + patienceMs;
      while ((await readBacklog(lastmile.aaaUrl)) !== 0 && nowMs() < endMs) await delay(100);
      const { called, absent, close } = await callWitnesses({
        lastmile,
        api,
        flowSawAll: flowSawAll && watch.flowRuns(),
        facts: { tenantId: tenant.tenantId, sessionPrefix: isp.run, exporters: places.routers, sinceMs },
      });
      const testimonies: Testimony[] = [];
      for (const witness of called) testimonies.push(await ask(witness));
      await close();
      const errors = [...diary.troubles(), ...troubles()];
      return summarize({
        elapsedS,
        isp,
        meters,
        factor,
        view: { ...look.view(), throttled: online.throttled },
        exported: exporters.counts(),
        testimonies,
        absent,
        errors,
      });
    },
    async stop() {
      clearInterval(timer);
      await watch.stop();
      await isp.stop();
      await exporters.stop();
    },
  };
}

function flowText({ records, lost }: FlowCounts): string {
  return lost === 0 ? `${wholeText(records)} received` : `${wholeText(records)} received, ${lost} datagrams missed`;
}

const interimMs = { least: 1000, most: 4000 };
const mostRecordsPerS = 400;

/** Every few seconds, twelve in a short run, and not more than Lastmile should be bothered with in a demo. */
function interimOf(subscribers: number, durationS: number | null): number {
  const wished = durationS === null ? interimMs.most : (durationS * 1000) / 12;
  const short = Math.min(interimMs.most, Math.max(interimMs.least, wished));
  return Math.max(short, (subscribers / mostRecordsPerS) * 1000);
}
