// The compiled records of the subscriber snapshot: what a worker needs to answer a login without asking anybody.

import type { RefusedLogins } from '#policy/access/refused-login.ts';
import type { PasswordScheme } from '#policy/credentials/password-scheme.ts';
import type { FupRule } from '#policy/fup/rules.ts';
import type { MacMode } from '#policy/ledger/login.ts';
import type { LearnedMac } from '#policy/ledger/macs.ts';
import type { Meter } from '#policy/ledger/types.ts';
import type { NasSettings } from '#policy/nas/configured.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import type { Pool } from '#policy/network/pool.ts';
import type { Speed } from '#policy/speed.ts';
import type { DeviceUserRecord } from './device-users.ts';
import type { NasOperation } from './nas-operation.ts';
import type { ProxyRecord } from './records-of-proxy.ts';

export const enforcementModes = ['enforce', 'observe', 'off'] as const;
export type EnforcementMode = (typeof enforcementModes)[number];

export type TenantRecord = {
  readonly id: number;
  readonly slug: string;
  readonly timeZone: string;
  /** ISO weekday, 1 = Monday. */
  readonly weekStart: number;
  readonly mode: EnforcementMode;
  /** What a login beyond the limit of sessions does; absent: newest. */
  readonly sessionMode?: SessionMode;
  /** What becomes of logins that end in a reject; absent: rejects. */
  readonly refusedLogins?: RefusedLogins;
};

export const sessionModes = ['newest', 'refuse'] as const;
/** newest: the oldest session ends. refuse: the login is refused while the others are alive. */
export type SessionMode = (typeof sessionModes)[number];

/** Addresses, sessions and devices that a plan gives. */
export type NetworkTerms = {
  readonly ipv4PoolId: number | null;
  readonly ipv6PoolId: number | null;
  readonly delegatedPoolId: number | null;
  /** 0: as many sessions as they like. */
  readonly sessionLimit: number;
  /** 0: any device. */
  readonly macLimit: number;
  readonly macMode: MacMode;
};

export type PlanRecord = {
  readonly tenantId: number;
  readonly id: number;
  readonly speed: Speed;
  readonly fupRules: readonly FupRule[];
  readonly suspendAction: 'walled_garden' | 'throttle' | 'reject';
  readonly graceMs: number;
  readonly interimIntervalS: number;
  /** Absent: no pools, no limits. */
  readonly network?: NetworkTerms;
  /** Added to Access-Accepts; absent in snapshots from before there were any. */
  readonly attributes?: readonly NasAttribute[];
};

export type HoldRecord = { readonly reason: HoldReason; readonly sinceMs: number; readonly untilMs: number | null };
export type HoldReason = 'non_payment' | 'fraud' | 'abuse' | 'customer_request' | 'admin';

export type AddressRecord = {
  readonly kind: 'ipv4' | 'framed_route' | 'ipv6_prefix' | 'delegated_prefix';
  /** CIDR text, e.g. `10.0.0.7/32`. */
  readonly prefix: string;
};

export type SubscriptionRecord = {
  readonly tenantId: number;
  readonly id: number;
  readonly customerId: number;
  readonly planId: number;
  readonly customerStatus: 'lead' | 'new' | 'active' | 'blocked' | 'disabled';
  readonly status: 'pending' | 'active' | 'paused' | 'disabled' | 'terminated';
  readonly holds: readonly HoldRecord[];
  /** Null: never expires. */
  readonly paidUntilMs: number | null;
  readonly paidUntilSetAtMs: number;
  readonly anchorDay: number;
  readonly meter: Meter;
  /** Since when it counts, and the other one did before; null: it always has. */
  readonly meterSinceMs: number | null;
  readonly addresses: readonly AddressRecord[];
  /** Where it differs from its plan; null in it: as the plan says. */
  readonly network?: { readonly [K in keyof NetworkTerms]: NetworkTerms[K] | null };
  /** Added to Access-Accepts; absent when there are none. */
  readonly attributes?: readonly NasAttribute[];
};

export type CredentialRecord = {
  readonly tenantId: number;
  readonly realm: string;
  readonly userName: string;
  readonly subscriptionId: number;
  /** Keyring purpose 'credential', place `<tenant>:<realm>:<user name>`: the password, or what `scheme` stores of it. */
  readonly passwordCipher: Buffer;
  readonly scheme: PasswordScheme;
};

export type Demand = 'yes' | 'no' | 'auto';

/** What of its {@link NasSettings} is absent was not there when the snapshot was written: as usual for the vendor. */
export type NasRecord = NasSettings &
  Partial<NasOperation> & {
    readonly tenantId: number;
    readonly id: number;
    readonly name: string;
    /** CIDR text; a single device is a /32 or /128. */
    readonly address: string;
    readonly identifier: string | null;
    /** Decrypted by the reader of the record, never stored in clear. The second is the next one while rotating. */
    readonly secretCiphers: readonly Buffer[];
    readonly coaAddress: string | null;
    /** Null: the vendor's own. */
    readonly coaPort: number | null;
    readonly coaRatePerS: number;
    readonly mode: EnforcementMode;
    readonly adoptedAtMs: number | null;
    /** Whether Access-Requests must carry a Message-Authenticator; `auto`: learned (radius/trust.ts). */
    readonly messageAuthenticator: Demand;
    /** The same for Access-Requests with Proxy-State alone. */
    readonly limitProxyState: Demand;
    /** Off for devices that drop replies with a Message-Authenticator. */
    readonly replyMessageAuthenticator: boolean;
    /** Since when (wall clock) its packets teach what `auto` demands; what was learned before is void. */
    readonly learnSinceMs: number;
    /** Added to Access-Accepts. */
    readonly attributes?: readonly NasAttribute[];
    /** The certificate it is known by over RadSec (policy/nas/radsec-identity.ts); absent in snapshots written before there was one. */
    readonly radsecIdentity?: string | null;
    /** CoA and Disconnect go back over its RadSec connection. */
    readonly coaOverRadsec?: boolean;
  };

/**
 * What was last decided for a subscription and what its login therefore answers (mirror of the `profile:{pNN}` streams).
 * FUP state lives here: a login applies `throttle` or `fupBlocked` without asking Redis.
 */
export type ProfileRecord = {
  readonly tenantId: number;
  readonly subscriptionId: number;
  /** Speed after FUP; null when no FUP rule is in force. */
  readonly fupSpeed: Speed | null;
  readonly fupBlocked: boolean;
  /** Until when the FUP state holds (end of the window or of the time-of-day span); after it the state counts as none. */
  readonly fupUntilMs: number | null;
  /** Set while the brake holds a stricter decision back: the login answers this outcome instead. Text of policy/access/outcome.ts. */
  readonly heldOutcome: string | null;
  readonly decidedAtMs: number;
};

/** How far the mirror of decided profiles can be trusted. */
export type MirrorState = {
  /** Wall-clock ms of the last proof that the mirror holds everything Redis had decided, 0 when never. */
  readonly inStepAtMs: number;
};

/** Whether what was read of a subscriber is still what is written: for who keeps it. */
export type Standing = {
  /** What is read from now on is at least so new. One object, valid until the next call. */
  versions(): RecordVersions;
  /** Where changes of a credential are marked; undefined for names that none has. */
  placeOfCredential(tenantId: number, realm: string, userName: string): number | undefined;
  /** Where changes of a subscription and of its decided profile are marked. */
  placeOfSubscription(tenantId: number, subscriptionId: number): number;
  ofSnapshot(place: number, version: number): boolean;
  ofProfiles(place: number, version: number): boolean;
};
export type RecordVersions = { readonly snapshot: number; readonly profiles: number };

/** The read side, in a worker thread or the main thread. Every lookup is one LMDB get. */
export type SnapshotReader = {
  /** False until the first complete copy: Access-Requests then go unanswered. */
  complete(): boolean;
  /** Wall-clock ms of the last proof that the feed works (change applied or empty poll), 0 when never. */
  feedAliveAtMs(): number;
  tenant(tenantId: number): TenantRecord | undefined;
  /** The id of the tenant when there is exactly one. */
  onlyTenant(): number | undefined;
  plan(tenantId: number, planId: number): PlanRecord | undefined;
  subscription(tenantId: number, subscriptionId: number): SubscriptionRecord | undefined;
  credential(tenantId: number, realm: string, userName: string): CredentialRecord | undefined;
  profile(tenantId: number, subscriptionId: number): ProfileRecord | undefined;
  /** The devices learned for the subscription, as far as the mirror knows. */
  macs(tenantId: number, subscriptionId: number): readonly LearnedMac[];
  mirrorState(): MirrorState;
  /** Increases with every change of a NAS, tenant, pool, member of staff or realm: rebuild what is made of them when it differs. */
  nasGeneration(): number;
  nasList(): NasRecord[];
  poolList(): Pool[];
  /** Staff who log in to devices. A change of them counts as one of the access servers. */
  deviceUserList(): DeviceUserRecord[];
  /** Of the tenants that forward anything. */
  proxyList(): ProxyRecord[];
  /** Absent where changes are not marked: nothing can be kept. */
  readonly standing?: Standing;
};
