// What the handlers of one request share: the request as received and verified, and the tools to answer it.
import type { Clock } from '#ops/runtime/clock.ts';
import type { Crypt } from '#ops/runtime/crypt.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { Peer, UdpSocket } from '#ops/runtime/udp.ts';
import type { RestrictReason } from '#policy/access/outcome.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import type { Authorization } from '../auth/authorize.ts';
import type { MethodMaker } from '../auth/eap/method.ts';
import type { NasClient } from '../auth/nas-table.ts';
import type { ProvenPlaces } from '../auth/proven.ts';
import type { RefusedAnswer } from '../auth/refused-answer.ts';
import type { Counters } from '../counters.ts';
import type { LoginLog } from '../login-log/log.ts';
import type { GateRefusal } from '../network/gate.ts';
import type { RadiusProxy } from '../proxy/proxy.ts';
import type { CredentialRecord, NasRecord, SnapshotReader } from '../subscribers/records.ts';
import type { Check } from '../wire/check-together.ts';
import type { Packet } from '../wire/packet.ts';
import type { Admission } from './admission.ts';
import type { NasActivity } from './nas-activity.ts';
import type { RememberedLogins } from './remembered-logins.ts';
import type { Trust } from './trust.ts';

/** Which of the two ports a packet came to. */
export type RadiusPort = 'auth' | 'acct';

/** What a proven login is answered: the attributes of the Accept (Class among them), why not, or nothing, for want of records or of Redis. */
export type LoginAnswer =
  | {
      readonly kind: 'accept';
      readonly attributes: readonly NasAttribute[];
      readonly outcome: string;
      /** What it follows from, where nothing but records was asked. */
      readonly found?: Authorization;
    }
  | { readonly kind: 'reject'; readonly reason: RestrictReason | GateRefusal | 'unknown_user' | 'speed_policy_missing' }
  | { readonly kind: 'unavailable'; readonly reason: 'snapshot_incomplete' | 'addresses_unavailable' };

export type AccountingRequest = {
  readonly packet: Packet;
  readonly nas: NasRecord;
  /** The NAS record stands for several devices: its instance is named by NAS-Identifier or source address. */
  readonly several: boolean;
  readonly sourceAddress: string;
  readonly receivedAtMs: number;
};

/** `ack`: nothing to record, yet the NAS is answered so that it stops repeating. */
export type ReceivedAccounting =
  | { readonly ok: true; readonly record: AccountingRecord }
  | { readonly ok: false; readonly reason: string; readonly ack: boolean };

/** An Access-Request that another worker of this node received, as it was received. */
export type HandedOver = {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly peer: Peer;
  /** The socket it came to; every worker has one with the same index. */
  readonly socketIndex: number;
};

export type RadiusDeps = {
  readonly snapshot: SnapshotReader;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly rejectDelayMs: number;
  /** Without it nothing is learned of access servers. */
  readonly trust?: Trust;
  /** Without it every login is let in. */
  readonly admission?: Pick<Admission, 'admits'> & Partial<Pick<Admission, 'isFlooded'>>;
  readonly eap: {
    /** What names this node. */
    readonly node: string;
    /** Index of this worker, and how many there are. */
    readonly worker: number;
    readonly workers: number;
    /** Methods in the order in which they are offered; none: EAP is refused. */
    readonly makers: readonly MethodMaker[];
  };
  /** Gives a datagram to another worker of this node. */
  handOver(worker: number, datagram: HandedOver): void;
  /** Passwords hashed by crypt(3); a text: why this system cannot check them. */
  readonly crypt: Crypt | string;
  /** `nas`: as in the NAS table. Reads the packet before it awaits anything: its memory is not its own. */
  authorize(
    nas: Pick<NasClient, 'record' | 'several' | 'test'>,
    credential: CredentialRecord,
    packet: Packet,
  ): LoginAnswer | Promise<LoginAnswer>;
  /** Passwords that were proven, by any worker; absent: only by this one. */
  readonly proven?: ProvenPlaces;
  /** Answers again what it was answered before; absent: every login is decided anew. */
  readonly remembered?: RememberedLogins;
  /** Hears of every login that is decided. */
  readonly loginLog?: LoginLog;
  /** What a login that is rejected gets instead, if anything. */
  readonly refusedAnswer?: RefusedAnswer;
  /** Without it nothing is forwarded. */
  readonly proxy?: RadiusProxy;
  receiveAccounting(request: AccountingRequest): ReceivedAccounting;
  /** Settles when the record is on disk. */
  append(record: AccountingRecord): Promise<void>;
  /** setTimeout, or a fake one. */
  later(callback: () => void, ms: number): void;
  /** For the operator's log; called at most once per message and 10 s. */
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
};

/** What brings packets whose maker is known by other means than the source address; answers go back by it and by nothing else. */
export type RadiusLink = {
  readonly peer: Peer;
  /** With `peer`, tells its requests from those of every other link and socket. */
  readonly socketIndex: number;
  readonly socket: Pick<UdpSocket, 'send'>;
  /** Gives an Access-Request to the worker that leads its conversation; the answer still goes back by this link. */
  handOver?(worker: number, data: Uint8Array<ArrayBuffer>, client: NasClient): void;
  /** `identifier`: the packet's NAS-Identifier. */
  clientOf(identifier: () => string | undefined): NasClient | undefined;
  /** Where its requests are counted; absent: with the access server's own. */
  readonly activity?: NasActivity;
};

export type RadiusRequest = {
  readonly packet: Packet;
  readonly client: NasClient;
  /** What this access server sends, counted here. */
  readonly activity: NasActivity;
  readonly peer: Peer;
  readonly socket: Pick<UdpSocket, 'send'>;
  readonly socketIndex: number;
  /** Monotonic instant of the receipt. */
  readonly startedMs: number;
  /** Wall clock of it. */
  readonly receivedAtMs: number;
  /** What was checked of it together with others of its batch; valid as long as that. */
  check?: Check | undefined;
  /**
   * Whose answers are signed and sent together with its own: those of its batch, or where its memory is its own those of this turn of the
   * event loop; null: it is answered at once.
   */
  readonly answeredWith: 'batch' | 'turn' | null;
  /** Sends an answer while the batch is still being handled. */
  reply(data: Buffer, start: number, length: number): void;
  /** Of a link: how it is given to another worker. */
  readonly handOver?: RadiusLink['handOver'];
};
