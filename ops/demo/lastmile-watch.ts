// Looks at the running Lastmile every two seconds: what waits to be counted, whether flow-collector runs, whether the brake holds.
import { messageOf } from '#ops/runtime/errors.ts';
import type { Diary } from './isp/meters.ts';
import { type FlowCounts, isReady, readBacklog, readFlowCounts } from './lastmile-metrics.ts';
import type { Lastmile } from './stack/lastmile.ts';
import type { Api, HeldBrake } from './tenant/api.ts';

export type Watch = {
  /** Resolves after the first look. */
  start(): Promise<void>;
  /** Resolves after the last look: whoever signs out then disturbs none. */
  stop(): Promise<void>;
  /** As of the last look; null when aaa-server did not say. */
  backlogBytes(): number | null;
  flowRuns(): boolean;
  /** What flow-collector has received of the run's routers since the first look. */
  flows(): FlowCounts;
};

export type WatchOptions = {
  readonly lastmile: Pick<Lastmile, 'aaaUrl' | 'flowUrl'>;
  readonly api: Pick<Api, 'heldBrake' | 'confirmBrake'>;
  readonly diary: Diary;
  /** Addresses of the run's routers. */
  readonly exporters: readonly string[];
  /** Between two looks; default 2 s. */
  readonly everyMs?: number;
};

/** An operator reads before he confirms. */
const confirmAfterLooks = 3;

export function createWatch({ lastmile, api, diary, exporters, everyMs = 2000 }: WatchOptions): Watch {
  let backlog: number | null = null;
  let flow = false;
  let flows: FlowCounts = { records: 0, lost: 0 };
  let flowsBefore: FlowCounts | undefined;
  let brake: HeldBrake | undefined;
  let looks = 0;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let looking = Promise.resolve();

  async function operate(): Promise<void> {
    const before = brake;
    brake = await api.heldBrake();
    if (!brake) return;
    looks = before?.id === brake.id ? looks + 1 : 0;
    if (looks === 0) diary.note('office', 'the brake holds changes back until an operator confirms their number');
    if (looks >= confirmAfterLooks && (await api.confirmBrake(brake)))
      diary.note('office', `the operator confirms what the brake holds: ${brake.count}`);
  }

  async function look(): Promise<void> {
    [backlog, flow] = await Promise.all([readBacklog(lastmile.aaaUrl), isReady(lastmile.flowUrl)]);
    if (flow) {
      flows = await readFlowCounts(lastmile.flowUrl, exporters);
      flowsBefore ??= flows;
    }
    await operate().catch((error: unknown) => diary.note('trouble', `the API does not answer: ${messageOf(error)}`));
    if (!stopped) timer = setTimeout(() => void lookAgain(), everyMs);
  }

  function lookAgain(): Promise<void> {
    looking = look();
    return looking;
  }

  return {
    start: lookAgain,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await looking;
    },
    backlogBytes: () => backlog,
    flowRuns: () => flow,
    flows: () => ({
      records: flows.records - (flowsBefore?.records ?? 0),
      lost: flows.lost - (flowsBefore?.lost ?? 0),
    }),
  };
}
