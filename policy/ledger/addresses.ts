// Who held which addresses when, as the streams `address:{pNN}` tell it: for whoever attributes traffic to subscriptions.
import type { ChainableCommander, Cluster, Redis } from 'ioredis';
import { keys } from './keys.ts';
import { type LivePlace, readLivePage } from './live.ts';

/** One holding of addresses. Of one session key and incarnation a later event replaces the one before it from its own `fromMs` on. */
export type AddressEvent = {
  readonly tenantId: number;
  /** 0: a session of nobody. The addresses are no longer those of whoever had them before. */
  readonly subscriptionId: number;
  readonly sessionKey: string;
  readonly incarnation: number;
  /** Framed-IP-Address, '' without one. */
  readonly framedIp: string;
  /** `2001:db8::/64`, '' without one. */
  readonly framedIpv6Prefix: string;
  readonly delegatedIpv6Prefix: string;
  readonly fromMs: number;
  /** null while the session is open. */
  readonly toMs: number | null;
};

export type AddressRead = {
  readonly events: readonly AddressEvent[];
  /** Where the next read goes on. */
  readonly position: string;
  readonly atEnd: boolean;
  /** Events between the old position and the stream's beginning are lost: `liveAddresses` tells what holds now. */
  readonly gap: boolean;
};

/** Position of a stream that is read from its beginning. */
export const beginning = '0-0';

/** Where the stream of the partition ends: taken before `liveAddresses`, reading goes on from it. */
export async function addressesEnd(redis: Redis | Cluster, partition: number): Promise<string> {
  const [last] = await redis.xrevrange(keys.addresses(partition), '+', '-', 'COUNT', 1);
  return last?.[0] ?? beginning;
}

/**
 * Events behind `position`. The entry at the position is read too: as long as it is there nothing behind it was trimmed. When it is gone
 * (trimmed, or the store is an older one) there is a gap.
 */
export async function readAddresses(
  redis: Redis | Cluster,
  partition: number,
  position: string,
  count: number,
): Promise<AddressRead> {
  const stream = keys.addresses(partition);
  const entries = await redis.xrange(stream, position, '+', 'COUNT', count + 1);
  const [first] = entries;
  const atStart = position === beginning;
  const gap = atStart ? first !== undefined && (await wasTrimmed(redis, stream)) : first?.[0] !== position;
  const fresh = atStart || gap ? entries.slice(0, count) : entries.slice(1);
  return {
    events: fresh.flatMap(([, fields]) => decodeAddress(fields) ?? []),
    position: fresh.at(-1)?.[0] ?? (gap ? beginning : position),
    atEnd: entries.length <= count,
    gap,
  };
}

/** Every open session of the partition that has addresses, page by page. One that reports meanwhile may come twice. */
export async function* liveAddresses(redis: Redis | Cluster, partition: number): AsyncGenerator<AddressEvent[]> {
  for (let place: LivePlace | undefined; ; ) {
    const page = await readLivePage(redis, partition, place);
    yield await readHoldings(
      redis,
      page.members.map(({ key }) => key),
    );
    if (!page.next) return;
    place = page.next;
  }
}

/** Undefined for fields that do not make an event. */
export function decodeAddress(fields: readonly string[]): AddressEvent | undefined {
  const values = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length; i += 2) values.set(fields[i] ?? '', fields[i + 1] ?? '');
  const text = (name: string) => values.get(name) ?? '';
  const sound = ['tenant', 'sub', 'inc', 'from'].every((name) => /^\d{1,16}$/.test(text(name)));
  if (!sound || text('ses') === '') return undefined;
  return {
    tenantId: Number(text('tenant')),
    subscriptionId: Number(text('sub')),
    sessionKey: text('ses'),
    incarnation: Number(text('inc')),
    framedIp: text('v4'),
    framedIpv6Prefix: text('v6'),
    delegatedIpv6Prefix: text('pd'),
    fromMs: Number(text('from')),
    toMs: text('to') === '' ? null : Number(text('to')),
  };
}

async function readHoldings(redis: Redis | Cluster, sessionKeys: readonly string[]): Promise<AddressEvent[]> {
  const names = ['tenant', 'sub', 'inc', 'fip', 'v6', 'pd', 'afrom', 'started', 'state'];
  const pipeline: ChainableCommander = redis.pipeline();
  for (const key of sessionKeys) pipeline.hmget(key, ...names);
  const answers = sessionKeys.length > 0 ? ((await pipeline.exec()) ?? []) : [];
  return answers.flatMap(([error, found], index) => {
    if (error) throw error;
    const [tenant, sub, inc, v4, v6, pd, from, started, state] = found as readonly (string | null)[];
    if (state !== 'open' || !(v4 || v6 || pd)) return [];
    return {
      tenantId: Number(tenant),
      subscriptionId: Number(sub),
      sessionKey: sessionKeys[index] ?? '',
      incarnation: Number(inc),
      framedIp: v4 ?? '',
      framedIpv6Prefix: v6 ?? '',
      delegatedIpv6Prefix: pd ?? '',
      fromMs: Number(from ?? started),
      toMs: null,
    };
  });
}

async function wasTrimmed(redis: Redis | Cluster, stream: string): Promise<boolean> {
  const facts = (await redis.xinfo('STREAM', stream)) as (string | number)[];
  const fact = (name: string) => Number(facts[facts.indexOf(name) + 1]);
  return fact('entries-added') !== fact('length');
}
