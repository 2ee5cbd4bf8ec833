// The main thread's side of the flow workers: starts and stops them, passes on what they learn, takes their rows, shows what they count.

import type { ReadyCheck } from '#ops/runtime/admin.ts';
import { type HandedSocket, setsOf } from '#ops/runtime/handed-sockets.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Registry } from '#ops/runtime/metrics.ts';
import { oncePerScrape } from '#ops/runtime/once-per-scrape.ts';
import { registerReportMetrics } from '#ops/runtime/report-metrics.ts';
import { createCounterBuffer, registerSharedCounters } from '#ops/runtime/shared-counters.ts';
import { registerDriverMetric } from '#ops/runtime/udp/driver-metric.ts';
import { assertPortFree } from '#ops/runtime/udp.ts';
import { createWorkerGroup } from '#ops/runtime/worker-group.ts';
import type { AddressInterval } from './attribution/address-index.ts';
import { counterFamilies, counterPlaces } from './counters.ts';
import { mergeTraffic } from './exporters/publish.ts';
import type { ExporterSettings } from './exporters/settings.ts';
import type { SenderTraffic } from './exporters/traffic.ts';
import type { OwnWords, ToWorker, WorkerReport, WorkerSettings } from './protocol.ts';
import type { RowBatch } from './rows/batches.ts';
import type { Snapshot } from './wire/learned.ts';

export type WorkersOptions = {
  readonly count: number;
  /** The same for all but what tells them apart and what changes. */
  readonly settings: Omit<WorkerSettings, 'index' | 'walFolder' | 'counters' | 'exporters' | 'templates' | 'handed'>;
  /** Sockets that a supervisor has opened. */
  readonly handed?: readonly HandedSocket[];
  walFolder(index: number): string;
  exporters(): ExporterSettings;
  templates(): Snapshot | undefined;
  /** What the main thread itself counts. */
  readonly ownCounters: SharedArrayBuffer;
  readonly registry: Registry;
  readonly log: Logger;
  /** The buffer goes back to the worker by `settled`. */
  onRows(batch: RowBatch, settled: () => void): void;
  /** A worker ended by itself: the process must end too. */
  onFatal(error: Error): void;
  /** The program of a worker; another one in tests. */
  readonly script?: URL;
};

export type Workers = Part & {
  ready: ReadyCheck;
  /** After `start`. */
  port(): number;
  configure(settings: ExporterSettings): void;
  addresses(intervals: readonly AddressInterval[]): void;
  /** Asks for the templates; what was told last, by worker. */
  askTemplates(): void;
  toldTemplates(): Iterable<Snapshot>;
  /** A second old at most; most packets first. */
  traffic(): readonly SenderTraffic[];
  /** Intervals in the address index, of the worker that has most. */
  addressCount(): number;
};

export function createFlowCounterBuffer(): SharedArrayBuffer {
  return createCounterBuffer(counterPlaces.size);
}

export function createWorkers(options: WorkersOptions): Workers {
  const { count, settings, registry, log, onRows, onFatal } = options;
  const counters = [options.ownCounters];
  const templates = new Map<number, Snapshot>();
  const traffic = new Map<number, OwnWords & { type: 'traffic' }>();
  let port = settings.port;
  let udpDriver: string | undefined;
  let listening = false;

  registerSharedCounters(registry, counterFamilies, counterPlaces, () =>
    counters.map((buffer) => new Float64Array(buffer)),
  );
  registerDriverMetric(registry, 'lastmile_flow_udp_driver', () => udpDriver);

  /** Of the sockets that the supervisor has opened, those that a worker reads. */
  const handedTo = (worker: number) => setsOf(options.handed ?? [], { ...settings, name: 'netflow' }, worker, count);

  const group = createWorkerGroup<ToWorker, OwnWords, WorkerReport>({
    name: 'flow',
    count,
    together: settings.port !== 0,
    script: options.script ?? new URL('./flow.worker.ts', import.meta.url),
    log,
    dataOf(index): WorkerSettings {
      const buffer = createFlowCounterBuffer();
      counters.push(buffer);
      const own = { index, port, walFolder: options.walFolder(index), counters: buffer, handed: handedTo(index) };
      return { ...settings, ...own, exporters: options.exporters(), templates: options.templates() };
    },
    onMessage(message, worker) {
      switch (message.type) {
        case 'ready':
          port = message.port;
          udpDriver = message.udpDriver;
          log.info({ worker, addresses: settings.addresses, port, udp: udpDriver }, 'listening');
          return;
        case 'learned':
          for (let index = 0; index < count; index++) if (index !== worker) group.tell(index, message);
          return;
        case 'templates':
          return void templates.set(worker, message.snapshot);
        case 'traffic':
          return void traffic.set(worker, message);
        case 'rows': {
          const { buffer } = message.batch;
          return onRows(message.batch, () => group.tell(worker, { type: 'settled', buffer }, [buffer]));
        }
        default:
          message satisfies never;
      }
    },
    onFatal,
  });

  return {
    ...group,
    async start() {
      if (settings.port !== 0 && handedTo(0).length === 0) await assertPortFree(settings.addresses, settings.port);
      await group.start();
      listening = true;
      registerReportMetrics(registry, await group.reports(), oncePerScrape(group.reports));
    },
    ready: { name: 'sockets', check: () => (listening ? null : 'the sockets of flows are not open yet') },
    port: () => port,
    configure: (exporters) => group.tellAll({ type: 'exporters', settings: exporters }),
    addresses: (intervals) => group.tellAll({ type: 'addresses', intervals }),
    askTemplates: () => group.tellAll({ type: 'tell_templates' }),
    toldTemplates: () => templates.values(),
    traffic: () => mergeTraffic([...traffic.values()].map((told) => told.traffic)),
    addressCount: () => Math.max(0, ...[...traffic.values()].map(({ addresses }) => addresses)),
  };
}
