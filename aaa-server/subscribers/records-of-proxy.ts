// What a tenant forwards: its home servers, its realms and who gets copies of its accounting. One record of the snapshot.
import type {
  AccountingPlace,
  AllowedAttribute,
  AuthenticationPlace,
  HealthCheck,
  ServerChoice,
  UnreachableAnswer,
} from '#policy/proxy/settings.ts';
import type { Demand } from './records.ts';

export type HomeServerRecord = {
  readonly id: number;
  readonly name: string;
  /** Not a prefix. */
  readonly address: string;
  readonly authPort: number;
  readonly acctPort: number;
  /** Keyring purpose 'nas', place homeServerPlace(). */
  readonly secretCipher: Buffer;
  readonly responseWindowMs: number;
  /** How often one request is sent to it before the next server is asked. */
  readonly attempts: number;
  readonly healthCheck: HealthCheck;
  /** Whether its replies must carry a Message-Authenticator; `auto`: once one did. */
  readonly messageAuthenticator: Demand;
  /** Requests without answer at a time, of one worker. */
  readonly maxOutstanding: number;
};

export type RealmRecord = {
  readonly id: number;
  /** Lower case; `default`: every realm without an entry. */
  readonly name: string;
  readonly stripUserName: boolean;
  readonly authentication: AuthenticationPlace;
  readonly accounting: AccountingPlace;
  readonly choice: ServerChoice;
  readonly unreachable: UnreachableAnswer;
  /** Null: the usual ones. */
  readonly replyAttributes: readonly AllowedAttribute[] | null;
  /** In order. */
  readonly homeServerIds: readonly number[];
};

export type AccountingCopyRecord = {
  readonly id: number;
  readonly name: string;
  readonly homeServerId: number;
  /** Only of this access server; null: of all. */
  readonly nasId: number | null;
};

export type ProxyRecord = {
  readonly tenantId: number;
  /** The tenant's. */
  readonly id: number;
  readonly homeServers: readonly HomeServerRecord[];
  readonly realms: readonly RealmRecord[];
  readonly copies: readonly AccountingCopyRecord[];
};
