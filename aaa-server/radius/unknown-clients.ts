// The sources that are no NAS of ours and send most, and the networks they lie in: what an operator looks at when a new device gets no answer.
import { isIPv6 } from 'node:net';
import { parseAddress } from '#ops/runtime/ip.ts';

export type UnknownClient = {
  readonly address: string;
  /** Its /24 or /64. */
  readonly network: string;
  /** NAS-Identifier of the packet by which it came to be listed, null without one. */
  readonly identifier: string | null;
  /** Never less than the true count while listed; `overcount` is the most it may be too high. */
  readonly packets: number;
  readonly overcount: number;
  readonly lastSeenAtMs: number;
};

/** What comes from one /24 or /64, listed sources included. */
export type UnknownNetwork = {
  readonly network: string;
  readonly packets: number;
  readonly overcount: number;
  readonly lastSeenAtMs: number;
};

export type UnknownReport = {
  readonly clients: readonly UnknownClient[];
  readonly networks: readonly UnknownNetwork[];
};

export type UnknownClients = {
  note(address: string, nowMs: number, identifier?: () => string | undefined): void;
  /** Most packets first. */
  list(): UnknownReport;
};

type Counted = { packets: number; overcount: number; lastSeenAtMs: number };

const capacity = 100;
/** Sources of one network that are listed one by one: who makes up addresses fills no list, and hides nobody of another network. */
const perNetwork = 8;
const longestIdentifier = 64;

export function createUnknownClients(): UnknownClients {
  const clients = createTop<Counted & { network: string; identifier: string | null }>(capacity);
  const networks = createTop<Counted & { listed: number }>(capacity);
  const release = (one: { network: string } | undefined) => {
    const former = one && networks.get(one.network);
    if (former) former.listed = Math.max(0, former.listed - 1);
  };
  return {
    note(address, nowMs, identifier) {
      const known = clients.get(address);
      const network = known?.network ?? networkOf(address);
      const home = networks.count(network, nowMs, () => ({ listed: 0 }));
      if (!known && home.listed >= perNetwork) return;
      clients.count(
        address,
        nowMs,
        () => {
          home.listed++;
          return { network, identifier: identifier?.()?.slice(0, longestIdentifier) ?? null };
        },
        release,
      );
    },
    list: () => ({
      clients: clients.entries().map(([address, client]) => ({ address, ...client })),
      networks: networks.entries().map(([network, { packets, overcount, lastSeenAtMs }]) => ({
        network,
        packets,
        overcount,
        lastSeenAtMs,
      })),
    }),
  };
}

/** The lists of several workers as one. */
export function mergeUnknownClients(reports: readonly UnknownReport[]): UnknownReport {
  const merge = <T extends Counted>(all: readonly T[], keyOf: (one: T) => string): T[] => {
    const merged = new Map<string, T>();
    for (const one of all) {
      const other = merged.get(keyOf(one));
      merged.set(
        keyOf(one),
        other ? { ...(one.lastSeenAtMs < other.lastSeenAtMs ? other : one), ...sum(one, other) } : one,
      );
    }
    return [...merged.values()].sort(byPackets).slice(0, capacity);
  };
  return {
    clients: merge(
      reports.flatMap((report) => report.clients),
      ({ address }) => address,
    ),
    networks: merge(
      reports.flatMap((report) => report.networks),
      ({ network }) => network,
    ),
  };
}

function sum(one: Counted, other: Counted): Counted {
  return {
    packets: one.packets + other.packets,
    overcount: one.overcount + other.overcount,
    lastSeenAtMs: Math.max(one.lastSeenAtMs, other.lastSeenAtMs),
  };
}

function byPackets(a: Counted, b: Counted): number {
  return b.packets - a.packets || b.lastSeenAtMs - a.lastSeenAtMs;
}

/** Space-saving top-N (Metwally 2005): a stranger beyond the N takes the place and count of one of the least frequent. */
function createTop<T extends Counted>(size: number) {
  const entries = new Map<string, T>();
  /** Least frequent ones, found together, so that a flood of strangers does not look through all for each of them. */
  let least: { packets: number; keys: string[] } = { packets: 0, keys: [] };

  function takeLeast(): readonly [string, T] | undefined {
    for (let round = 0; round < 2; round++) {
      for (let key = least.keys.pop(); key !== undefined; key = least.keys.pop()) {
        const entry = entries.get(key);
        if (entry?.packets === least.packets) return [key, entry];
      }
      let packets = Number.POSITIVE_INFINITY;
      for (const entry of entries.values()) packets = Math.min(packets, entry.packets);
      least = { packets, keys: [...entries].filter(([, entry]) => entry.packets === packets).map(([key]) => key) };
    }
    return undefined;
  }

  return {
    get: (key: string) => entries.get(key),
    entries: () => [...entries].sort((a, b) => byPackets(a[1], b[1])),
    /** Counts one packet of `key`; `make` gives what a new entry holds beside its counts, `dropped` hears whose place it takes. */
    count(key: string, nowMs: number, make: () => Omit<T, keyof Counted>, dropped?: (former: T) => void): T {
      const known = entries.get(key);
      if (known) {
        known.packets++;
        known.lastSeenAtMs = nowMs;
        return known;
      }
      let overcount = 0;
      const victim = entries.size >= size ? takeLeast() : undefined;
      if (victim) {
        overcount = victim[1].packets;
        entries.delete(victim[0]);
        dropped?.(victim[1]);
      }
      const entry = { ...make(), packets: overcount + 1, overcount, lastSeenAtMs: nowMs } as T;
      entries.set(key, entry);
      return entry;
    },
  };
}

/** `198.51.100.0/24`, `2001:db8:0:1::/64`; the address itself where it is none. */
function networkOf(address: string): string {
  const parsed = parseAddress(address);
  if (!parsed) return address;
  if (parsed.bits === 32) {
    const plain = isIPv6(address) ? address.slice(address.lastIndexOf(':') + 1) : address;
    return `${plain.slice(0, plain.lastIndexOf('.'))}.0/24`;
  }
  const groups = [112n, 96n, 80n, 64n].map((shift) => ((parsed.value >> shift) & 0xffffn).toString(16));
  return `${groups.join(':')}::/64`;
}
