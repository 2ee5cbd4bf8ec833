// Everything before the first login: a Lastmile, tenant demo, and what its subscribers have used so far.
import { setTimeout as delay } from 'node:timers/promises';
import { mapLimited } from '#ops/runtime/map-limited.ts';
import type { Environment } from '#ops/runtime/settings.ts';
import type { Progress } from '#ops/seed/progress.ts';
import type { KnownSubscriber } from './isp/subscriber.ts';
import { readBacklog } from './lastmile-metrics.ts';
import { askAtOnce } from './proof/usage-witness.ts';
import { findRunning, type Lastmile } from './stack/lastmile.ts';
import type { OwnStack } from './stack/own.ts';
import { type Api, createApi } from './tenant/api.ts';
import { type DemoTenant, prepareTenant } from './tenant/tenant.ts';

export type Prepared = {
  readonly lastmile: Lastmile;
  readonly tenant: DemoTenant;
  readonly api: Api;
  readonly known: readonly KnownSubscriber[];
};

export type PrepareOptions = {
  readonly environment: Environment;
  readonly subscribers: number;
  readonly own: OwnStack;
  readonly progress: Progress;
  say(line: string): void;
};

const settlePatienceMs = 30_000;

export async function prepare({ environment, subscribers, own, progress, say }: PrepareOptions): Promise<Prepared> {
  const running = await findRunning(environment, say);
  if (running) say(`using the Lastmile of ${running.dataDir}`);
  else say('no Lastmile runs here: starting one for this run');
  const lastmile = running ?? (await own.start());
  const tenant = await prepareTenant(lastmile, subscribers, { say, progress });
  const api = createApi(lastmile.apiUrl, tenant.token);
  await settled(lastmile);
  say('reading what the subscribers have used so far');
  const known = await mapLimited(tenant.subscriptions, askAtOnce, async (subscription) => {
    const { today, allTime } = await api.usage(subscription.subscriptionId);
    return { ...subscription, usedToday: today.up + today.down, before: allTime };
  });
  return { lastmile, tenant, api, known };
}

/** Until what was acknowledged before is counted: else it would look like ours. */
async function settled({ aaaUrl }: Lastmile): Promise<void> {
  const endMs = performance.now() + settlePatienceMs;
  while ((await readBacklog(aaaUrl)) !== 0) {
    if (performance.now() > endMs) throw new Error('Lastmile is still counting earlier records: is Redis there?');
    await delay(100);
  }
}
