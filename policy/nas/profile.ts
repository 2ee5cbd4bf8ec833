// What is known about a vendor's access servers, as data: how a speed is told, how a session is named, what counters mean.
import type { Speed } from '../speed.ts';
import { byServiceType, type DeviceAccess } from './device-access.ts';

/**
 * A RADIUS attribute for the codec. `vendor` 0 is the standard space, else the SMI number of a vendor-specific attribute.
 * Text becomes its octets (UTF-8), a number 32 bits big endian, octets stay as they are.
 */
export type NasAttribute = {
  readonly vendor: number;
  readonly type: number;
  readonly value: string | number | Uint8Array;
};

/** What of a session names it in a CoA-Request or Disconnect-Request (RFC 5176 §3). */
export const sessionKeys = [
  'sessionId',
  'userName',
  'framedIp',
  'framedIpv6Prefix',
  'delegatedIpv6Prefix',
  'nasIpAddress',
  'nasPort',
  'nasPortId',
  'callingStationId',
  'calledStationId',
] as const;
export type SessionKey = (typeof sessionKeys)[number];

/** One way to name a session: possible when the session has every key of `all`; those of `also` that it has go with them. */
export type Naming = {
  readonly all: readonly SessionKey[];
  readonly also?: readonly SessionKey[];
  /** Only for an Acct-Session-Id of this form. */
  readonly sessionIdLike?: RegExp;
};

/** What a tariff may say besides its speed, where a vendor can tell it. Bursts are short and faster; priority 1 is served first, 8 last. */
export type Shape = {
  readonly burst?: { readonly speed: Speed; readonly threshold: Speed; readonly seconds: number };
  readonly priority?: number;
  /** Guaranteed also when the line is full. */
  readonly least?: Speed;
};

/** A speed as the operator has configured it on the access server, under a name. `upName`: upload has one of its own. */
export type PolicyName = { readonly name: string; readonly upName: string | null };

/** An attribute that carries a text the operator chose: a pool, a list, a filter, an address to redirect to. */
export type TextAttribute = { readonly vendor: number; readonly type: number; readonly prefix?: string };

/** Vendor attributes that count the IPv6 part of a session, like Acct-Input-Octets and its relatives count all (or the rest) of it. */
export type Ipv6Counters = {
  readonly vendor: number;
  readonly inputOctets: number;
  readonly outputOctets: number;
  readonly inputGigawords: number;
  readonly outputGigawords: number;
};
/** subset: the standard counters hold everything. sum: they hold IPv4 alone, and the vendor's are added. */
export const ipv6Rules = ['subset', 'sum'] as const;
export type Ipv6Rule = (typeof ipv6Rules)[number];

/** Counters of each queue of a session: two octets that name the queue, then 64 bits. All of a direction added are its octets. */
export type QueueCounters = {
  readonly vendor: number;
  readonly input: readonly number[];
  readonly output: readonly number[];
};

/** Octets that a session may still use. The smallest is 1: zero means no limit to many access servers. */
export type Quota = { readonly totalBytes: number };

/** How speeds are told: as numbers, or by the names of policies. */
export const speedWays = ['numbers', 'names'] as const;
export type SpeedWay = (typeof speedWays)[number];

export type NasProfile = {
  readonly vendor: string;
  readonly title: string;
  /** Where it listens for CoA and Disconnect unless it is configured otherwise. */
  readonly coaPort: number;
  /** How it is told a speed unless the operator says otherwise. */
  readonly speedWay: SpeedWay;
  /** The attributes that give a session this speed, the same in an Access-Accept and a CoA-Request. Null: it knows names only. */
  readonly rate: ((speed: Speed, shape?: Shape) => readonly NasAttribute[]) | null;
  /** The same for a policy it knows by name. `before`: what the session has now, in a CoA-Request. Null: it knows numbers only. */
  readonly named: ((policy: PolicyName, before: PolicyName | null) => readonly NasAttribute[]) | null;
  /** Upload and download may have policies of different names. */
  readonly upNames: boolean;
  /**
   * Whether a CoA-Request changes the speed of a session. when_known: only when it is known what the session has now. Where it
   * does not, the session is ended, and its next login gets the new speed.
   */
  readonly live: 'always' | 'when_known' | 'never';
  /** Ways to name a session, the best first. */
  readonly namings: readonly Naming[];
  /** RFC 2866: Acct-Input-Octets is what the NAS received, the subscriber's upload. Some vendors swap the two. */
  readonly inputOctets: 'up' | 'down';
  readonly ipv6Rule: Ipv6Rule;
  readonly ipv6Counters: Ipv6Counters | null;
  /** Read when the standard counters are missing. */
  readonly queueCounters: QueueCounters | null;
  /** Names of pools of addresses that the access server keeps. */
  readonly pools: {
    readonly ipv4: TextAttribute;
    readonly ipv6: TextAttribute | null;
    readonly delegated: TextAttribute | null;
  };
  /** Names a list of addresses or a filter that is configured there: what a session in it may reach. */
  readonly addressList: TextAttribute | null;
  readonly redirectUrl: TextAttribute | null;
  readonly quota: ((quota: Quota) => readonly NasAttribute[]) | null;
  /** What lets staff into the device itself, with these rights. */
  readonly deviceAccess: (access: DeviceAccess) => readonly NasAttribute[];
  /** True when the vendor's walled garden is built and tested here; until then a garden becomes a reject. */
  readonly gardenVerified: boolean;
};

/** Standard attributes that profiles speak of (RFC 2865 §5, RFC 2869 §5, RFC 6911 §3). */
export const filterId: TextAttribute = { vendor: 0, type: 11 };
export const framedPool: TextAttribute = { vendor: 0, type: 88 };
const statefulIpv6Pool: TextAttribute = { vendor: 0, type: 172 };
const delegatedIpv6Pool: TextAttribute = { vendor: 0, type: 171 };

const usual = {
  coaPort: 3799,
  rate: null,
  named: null,
  upNames: false,
  live: 'always',
  namings: [
    {
      all: [],
      also: ['userName', 'sessionId', 'framedIp', 'callingStationId', 'nasIpAddress', 'nasPort', 'nasPortId'],
    },
  ],
  inputOctets: 'up',
  ipv6Rule: 'subset',
  ipv6Counters: null,
  queueCounters: null,
  pools: { ipv4: framedPool, ipv6: statefulIpv6Pool, delegated: delegatedIpv6Pool },
  addressList: filterId,
  redirectUrl: null,
  quota: null,
  deviceAccess: (access) => [byServiceType(access)],
  gardenVerified: false,
} as const satisfies Partial<NasProfile>;

/** A profile that differs from what is usual in these facts. A vendor that knows numbers is told numbers. */
export function nasProfileOf(facts: Pick<NasProfile, 'vendor' | 'title'> & Partial<NasProfile>): NasProfile {
  return { ...usual, speedWay: facts.rate ? 'numbers' : 'names', ...facts };
}

export function textAttribute({ vendor, type, prefix = '' }: TextAttribute, text: string): NasAttribute {
  return { vendor, type, value: `${prefix}${text}` };
}
