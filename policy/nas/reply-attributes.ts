// Attributes that an operator adds to Access-Accepts: for an access server, a tariff, a subscription; the narrower one wins, policy above all.
import type { NasAttribute } from './profile.ts';

/** An attribute as it is stored: what the operator wrote, and what the dictionary made of it. `octets` in hex. */
export type StoredAttribute = {
  readonly name: string;
  readonly value: string;
  readonly vendor: number;
  readonly type: number;
  readonly octets: string;
};

/** For one access server, tariff or subscription. All three together leave room for policy's own in a packet of 4096 octets. */
export const attributeLimits = { count: 16, nameLength: 100, valueLength: 500, octets: 1000 } as const;

/** Octets in a packet. */
export function lengthOnWire({ vendor, octets }: Pick<StoredAttribute, 'vendor' | 'octets'>): number {
  return octets.length / 2 + (vendor === 0 ? 2 : 8);
}

/** What policy decides, or what ties a reply to its request and its accounting. */
const decidedHere = new Map([
  [18, 'Reply-Message may not stand beside EAP-Message (RFC 3579 §2.6.5)'],
  [24, 'State belongs to the authentication'],
  [25, 'Class ties the accounting to the login'],
  [27, 'Session-Timeout follows from the paid period'],
  [33, 'Proxy-State belongs to the proxies'],
  [79, 'EAP-Message belongs to the authentication'],
  [80, 'Message-Authenticator signs the reply'],
  [85, 'Acct-Interim-Interval is the interim_interval_s of the tariff'],
]);
/** Standard attributes of an Access-Accept (RFC 2865 §5.44, RFC 2868 §5, RFC 2869 §5.19, RFC 3162 §3, RFC 4372, 4675, 4818, 4849, 5580, 5607, 6911, 7268). */
const ofReplies = new Set([
  1, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 20, 22, 23, 28, 29, 34, 35, 36, 37, 38, 39, 56, 57, 58, 59, 62, 63, 64,
  65, 66, 67, 69, 71, 72, 75, 76, 78, 81, 82, 83, 84, 86, 88, 89, 90, 91, 92, 96, 97, 98, 99, 100, 123, 133, 134, 136,
  137, 168, 169, 170, 171, 172,
]);

/** Encryption keys and answers of MS-CHAP (RFC 2548). */
const microsoft = 311;

/** Why an attribute may not be added to replies; null when it may. */
export function whyNotInReplies(vendor: number, type: number): string | null {
  if (vendor === microsoft) return 'what Microsoft defined belongs to the authentication';
  if (vendor !== 0) return null;
  const decided = decidedHere.get(type);
  if (decided) return decided;
  return ofReplies.has(type) ? null : 'an Access-Accept does not carry it';
}

/**
 * What policy decided, then what operators added: of one attribute in several lists the list that stands further behind has its say,
 * and none where policy spoke. In texts of the form `name=value` (Cisco-AVPair and its like) each name is an attribute of its own.
 */
export function withAdded(
  decided: readonly NasAttribute[],
  ...lists: readonly (readonly NasAttribute[] | undefined)[]
): readonly NasAttribute[] {
  if (!lists.some((list) => list && list.length > 0)) return decided;
  const taken = new Set(decided.map(placeOf));
  const added: NasAttribute[][] = [];
  for (const list of lists.toReversed()) {
    if (!list) continue;
    const free = list.filter((attribute) => !taken.has(placeOf(attribute)));
    for (const attribute of free) taken.add(placeOf(attribute));
    added.unshift(free);
  }
  return [...decided, ...added.flat()];
}

/** Cisco-AVPair, Huawei-AVpair. */
const pairs = new Set(['9.1', '2011.188']);
const decoder = new TextDecoder();

function placeOf({ vendor, type, value }: NasAttribute): string {
  const place = `${vendor}.${type}`;
  if (!pairs.has(place) || typeof value === 'number') return place;
  const text = typeof value === 'string' ? value : decoder.decode(value);
  // `ip:inacl=…` and `subscriber:inacl=…` are one: the protocol before the colon only says who reads it.
  return `${place} ${/^(?:[a-z0-9-]+:)?([^=*]*)/i.exec(text)?.[1] ?? ''}`;
}
