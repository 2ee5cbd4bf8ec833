// Looks at the running Lastmile every two seconds: what waits to be counted, whether flow-collector runs, whether the brake holds.
import { messageOf } from '#ops/runtime/errors.ts';
import type { Diary } from './isp/meters.ts';
import type { Lastmile } from './stack/lastmile.ts';
import type { Api, HeldBrake } from './tenant/api.ts';

export type Watch = {
  start(): void;
  stop(): void;
  /** As of the last look; null when aaa-server did not say. */
  backlogBytes(): number | null;
  flowRuns(): boolean;
  brake(): HeldBrake | undefined;
};

export type WatchOptions = {
  readonly lastmile: Lastmile;
  readonly api: Pick<Api, 'heldBrake' | 'confirmBrake'>;
  readonly diary: Diary;
};

const everyMs = 2000;
/** An operator reads before he confirms. */
const confirmAfterLooks = 3;

export function createWatch({ lastmile, api, diary }: WatchOptions): Watch {
  let backlog: number | null = null;
  let flow = false;
  let brake: HeldBrake | undefined;
  let looks = 0;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function operate(): Promise<void> {
    const before = brake;
    brake = await api.heldBrake();
    if (!brake) return;
    looks = before?.id === brake.id ? looks + 1 : 0;
    if (looks === 0)
      diary.note('office', `the brake holds ${brake.count} changes back until an operator confirms them`);
    if (looks >= confirmAfterLooks && (await api.confirmBrake(brake)))
      diary.note('office', `the operator confirms the ${brake.count} changes that the brake held`);
  }

  async function look(): Promise<void> {
    [backlog, flow] = await Promise.all([readBacklog(lastmile.aaaUrl), isReady(lastmile.flowUrl)]);
    await operate().catch((error: unknown) => diary.note('trouble', `the API does not answer: ${messageOf(error)}`));
    if (!stopped) timer = setTimeout(() => void look(), everyMs);
  }

  return {
    start: () => void look(),
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
    backlogBytes: () => backlog,
    flowRuns: () => flow,
    brake: () => brake,
  };
}

/** Bytes of accounting records on disk that the ledger has not counted; null when aaa-server does not say. */
export async function readBacklog(aaaUrl: string): Promise<number | null> {
  try {
    const response = await fetch(`${aaaUrl}/metrics`, { signal: AbortSignal.timeout(5000) });
    const lines = (await response.text()).split('\n');
    const values = lines.filter((line) => line.startsWith('lastmile_accounting_backlog_bytes{'));
    return values.length === 0 ? null : values.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  } catch {
    return null; // Away: shown as not told.
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false; // Not running.
  }
}
