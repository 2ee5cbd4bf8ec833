// Every message between the main thread of aaa-server and its RADIUS workers, both ways.

import type { TlsIdentity } from '#ops/runtime/eap-identity.ts';
import type { MetricReport } from '#ops/runtime/report-metrics.ts';
import type { UdpDriver } from '#ops/runtime/udp.ts';
import type { GroupAnswer, GroupOrder } from '#ops/runtime/worker-group.ts';
import type { LearnedOfNas } from '#ops/stores/nas-edge.ts';
import type { EapMethodName } from '#policy/credentials/eap-methods.ts';
import type { ProvenPlaces } from './auth/proven.ts';
import type { TestLogin, TestLoginResult } from './explain/test-login.ts';
import type { LoginBatch } from './login-log/log.ts';
import type { Keeping } from './proxy/accounting-log.ts';
import type { NasActivity } from './radius/nas-activity.ts';
import type { HandedOver } from './radius/request.ts';
import type { HandedSets } from './radius/server.ts';
import type { UnknownReport } from './radius/unknown-clients.ts';
import type { RadsecOrder, RadsecSettings, RadsecWords } from './radsec/protocol.ts';

/** What a worker is given when it is created. */
export type WorkerSettings = {
  readonly index: number;
  /** How many there are. */
  readonly workers: number;
  readonly addresses: readonly string[];
  readonly authPort: number;
  readonly acctPort: number;
  readonly udpDriver: UdpDriver;
  /** Sockets that a supervisor has opened; missing: none. */
  readonly handed?: HandedSets | undefined;
  readonly handedRadsec?: readonly (readonly number[])[] | undefined;
  readonly receiveBufferBytes: number;
  readonly rejectDelayMs: number;
  readonly learnWindowMs: number;
  /** What access servers have taught so far. */
  readonly learned: readonly LearnedOfNas[];
  readonly eap: {
    /** What names this node. */
    readonly node: string;
    readonly workers: number;
    readonly methods: readonly EapMethodName[];
    readonly identity: TlsIdentity | null;
  };
  /** LASTMILE_SECRET_KEY. */
  readonly masters: readonly string[];
  /** Passwords that any worker has proven. */
  readonly proven: ProvenPlaces;
  /** Folder of the subscriber snapshot. */
  readonly snapshotPath: string;
  /** Where the main thread marks what it changes in the snapshot and of decided profiles (subscribers/changes.ts). */
  readonly changes: { readonly snapshot: SharedArrayBuffer; readonly profiles: SharedArrayBuffer };
  /** Folder of this worker's own write-ahead log. */
  readonly walFolder: string;
  readonly proxy: {
    /** Folder of the accounting that every worker is to forward; its own is named like its write-ahead log. */
    readonly root: string;
    /** Names of all of them. */
    readonly workers: readonly string[];
    readonly keeping: Keeping;
  };
  readonly redisUrl: string;
  /** LOGIN_LEDGER_MS. */
  readonly loginLedgerMs: number;
  readonly feedSilence: { readonly toleratedMs: number; readonly extraGraceMs: number };
  /** Rows of the auth log a second. */
  readonly loginLog: { readonly acceptsPerSecond: number; readonly rejectsPerSecond: number };
  readonly logLevel: string;
  /** Null: RadSec is off. */
  readonly radsec: RadsecSettings | null;
  /** Several workers share each port. */
  readonly reusePort: boolean;
  /** Layout: counters.ts. */
  readonly counters: SharedArrayBuffer;
};

export type ToWorker =
  | GroupOrder
  | RadsecOrder
  /** A successor waits: stop what needs not go on until it reads. Answered by `wound_down`. */
  | { readonly type: 'wind_down' }
  /** An Access-Request that another worker received. */
  | { readonly type: 'handed_over'; readonly datagram: HandedOver }
  /** A login that an operator tries. */
  | { readonly type: 'test_login'; readonly id: number; readonly test: TestLogin }
  /** What access servers have taught another worker or node. */
  | { readonly type: 'learned'; readonly learned: readonly LearnedOfNas[] };

/** What a worker says of its own accord. */
export type OwnWords =
  /** Listening. The ports are those the system chose when 0 was asked. */
  | {
      readonly type: 'ready';
      readonly authPort: number;
      readonly acctPort: number;
      /** Null where RadSec is off. */
      readonly radsecPort: number | null;
      readonly udpDriver: string;
    }
  | RadsecWords
  | { readonly type: 'wound_down' }
  /** For the worker of that index, which leads the conversation that the datagram goes on with. */
  | { readonly type: 'hand_over'; readonly worker: number; readonly datagram: HandedOver }
  /** Partitions in which a session opened or a threshold was crossed: enforcement looks there at once. */
  | { readonly type: 'events'; readonly partitions: ReadonlySet<number> }
  /** Rows of the auth log. */
  | { readonly type: 'logins'; readonly batch: LoginBatch }
  /** `result` null: it ended in an error, which the log has. */
  | { readonly type: 'tested_login'; readonly id: number; readonly result: TestLoginResult | null }
  /** All that is known now of an access server that has taught something new. */
  | { readonly type: 'learned'; readonly learned: LearnedOfNas };

export type FromWorker = OwnWords | GroupAnswer<WorkerReport>;

export type WorkerReport = {
  readonly unknownClients: UnknownReport;
  readonly nasActivities: readonly NasActivity[];
  /** Logins that take several rounds and are likely to go on. */
  readonly conversing: number;
  /** The worker's own Prometheus metrics. */
  readonly metrics: readonly MetricReport[];
};
