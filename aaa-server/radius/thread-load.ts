// How busy this thread is and what waits in front of its authentication sockets: what admission asks of the real world.
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { codeOf } from '#ops/runtime/errors.ts';
import { queuedBytes } from '#ops/runtime/udp/receive-queue.ts';
import type { AdmissionOptions } from './admission.ts';

export type ThreadLoadOptions = {
  /** Threads that share the port; each is taken to have an equal part of what waits. */
  readonly workers: number;
  readonly addresses: readonly string[];
  /** What each socket was asked to hold. */
  readonly receiveBufferBytes: number;
  /** What has waited before this thread read is no flood: so long after its start it is worked off. */
  readonly workOffMs?: number;
  port(): number;
};

export function createThreadLoad({
  workers,
  addresses,
  receiveBufferBytes,
  workOffMs = 0,
  port,
}: ThreadLoadOptions): AdmissionOptions {
  const startedMs = performance.now();
  let before = performance.eventLoopUtilization();
  // The kernel doubles what it grants, and grants everybody but root no more than its own limit.
  const granted = process.getuid?.() === 0 ? receiveBufferBytes : Math.min(receiveBufferBytes, largestBuffer());
  const limitBytes = 2 * granted * addresses.length;
  return {
    busy() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, before);
      before = now;
      return utilization;
    },
    backlog() {
      if (performance.now() - startedMs < workOffMs) return undefined;
      const bytes = queuedBytes(port());
      return bytes === undefined ? undefined : { bytes: bytes / workers, limitBytes };
    },
  };
}

function largestBuffer(): number {
  try {
    return Number(readFileSync('/proc/sys/net/core/rmem_max', 'latin1'));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return Number.POSITIVE_INFINITY;
  }
}
