// Every message between the main thread of flow-collector and its workers, both ways.
import type { HasMetrics } from '#ops/runtime/report-metrics.ts';
import type { UdpDriver } from '#ops/runtime/udp.ts';
import type { GroupAnswer, GroupOrder } from '#ops/runtime/worker-group.ts';
import type { AddressInterval } from './attribution/address-index.ts';
import type { ExporterSettings } from './exporters/settings.ts';
import type { SenderTraffic } from './exporters/traffic.ts';
import type { RowBatch } from './rows/batches.ts';
import type { Learned, Snapshot } from './wire/learned.ts';

/** What a worker is given when it is created. */
export type WorkerSettings = {
  readonly index: number;
  readonly addresses: readonly string[];
  readonly port: number;
  readonly udpDriver: UdpDriver;
  /** Sockets that a supervisor has opened; missing: none. */
  readonly handed?: readonly (readonly number[])[] | undefined;
  readonly receiveBufferBytes: number;
  /** Folder of this worker's own log of usage. */
  readonly walFolder: string;
  /** File of the addresses that sessions hold; the main thread writes it. */
  readonly addressFile: string;
  readonly redisUrl: string;
  readonly exporters: ExporterSettings;
  /** Templates known before; undefined without any. */
  readonly templates: Snapshot | undefined;
  readonly logLevel: string;
  /** Layout: counters.ts. */
  readonly counters: SharedArrayBuffer;
};

export type ToWorker =
  | GroupOrder
  | { readonly type: 'exporters'; readonly settings: ExporterSettings }
  /** Intervals that are new or end otherwise. */
  | { readonly type: 'addresses'; readonly intervals: readonly AddressInterval[] }
  /** What the decoder of another worker learned. */
  | { readonly type: 'learned'; readonly learned: Learned }
  /** Answer `templates`. */
  | { readonly type: 'tell_templates' }
  /** The batch is on disk, or dropped: its buffer comes back. */
  | { readonly type: 'settled'; readonly buffer: ArrayBuffer };

/** What a worker says of its own accord. */
export type OwnWords =
  /** Listening. The port is the one the system chose when 0 was asked. */
  | { readonly type: 'ready'; readonly port: number; readonly udpDriver: string }
  | { readonly type: 'learned'; readonly learned: Learned }
  | { readonly type: 'templates'; readonly snapshot: Snapshot }
  /** Every second: what was received from each sender since the start, and how many intervals the address index has. */
  | { readonly type: 'traffic'; readonly traffic: readonly SenderTraffic[]; readonly addresses: number }
  | { readonly type: 'rows'; readonly batch: RowBatch };

export type FromWorker = OwnWords | GroupAnswer<WorkerReport>;

export type WorkerReport = HasMetrics;
