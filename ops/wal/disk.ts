// Watches how full the file system of the log is: an alarm at 80 %, long before records can no longer be kept.
import { statfs } from 'node:fs/promises';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { LogMetrics } from '../lanes/metrics.ts';

export type DiskWatchOptions = {
  folder: string;
  metrics: Pick<LogMetrics, 'diskUsed' | 'alarms'>;
  log: Logger;
  intervalMs?: number;
};

export type DiskWatch = Part & {
  /** Null when fine, else the sentence for /readyz and the operator. */
  problem(): string | null;
};

const alarmAt = 0.8;
/** Below this the alarm ends. */
const calmAt = 0.78;

export function createDiskWatch({ folder, metrics, log, intervalMs = 10_000 }: DiskWatchOptions): DiskWatch {
  let timer: NodeJS.Timeout | undefined;
  let problem: string | null = null;

  async function look(): Promise<void> {
    try {
      const used = await usedShare(folder);
      metrics.diskUsed.set(used);
      const was = problem;
      if (used >= (was ? calmAt : alarmAt)) {
        problem = `the file system of ${folder} is ${Math.floor(used * 100)} % full: at 100 % nothing more can be kept`;
      } else problem = null;
      if (problem && !was) {
        metrics.alarms.inc({ reason: 'disk_filling' });
        log.error({ folder, used }, 'the file system of the log is filling up');
      }
      if (was && !problem) log.info({ folder, used }, 'the file system of the log has room again');
    } catch (error) {
      log.warn({ folder, err: error }, 'the file system of the log could not be looked at');
    }
  }

  return {
    name: 'disk watch',
    problem: () => problem,
    async start() {
      await look();
      timer ??= setInterval(look, intervalMs);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}

/** Share of the space that an unprivileged process can no longer use, 0…1. */
async function usedShare(folder: string): Promise<number> {
  const { blocks, bfree, bavail } = await statfs(folder);
  const used = blocks - bfree;
  return used + bavail > 0 ? used / (used + bavail) : 1;
}
