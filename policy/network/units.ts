// Units of a pool: `<range>:<offset>` as the ledger keeps them, and the addresses and prefixes they are outside.
import { type Address, formatIp, parseIp } from './address.ts';
import type { Pool, PoolFamily, PoolRange } from './pool.ts';

/** The address (IPv4) or prefix (`2001:db8::/56`) of a unit; undefined when the pool has no such unit. */
export function addressOfUnit(pool: Pick<Pool, 'ranges' | 'unitLength'>, unit: string): string | undefined {
  const colon = unit.indexOf(':');
  const rangeId = Number(unit.slice(0, colon));
  const offset = Number(unit.slice(colon + 1));
  const range = pool.ranges.find(({ id }) => id === rangeId);
  const first = range && firstOf(range);
  if (!first || !(offset < range.size)) return undefined;
  const value = first.value + (BigInt(offset) << BigInt(first.bits - pool.unitLength));
  const text = formatIp({ bits: first.bits, value });
  return first.bits === 32 ? text : `${text}/${pool.unitLength}`;
}

const firsts = new WeakMap<PoolRange, Address>();

/** Read once for each range, which never changes. */
function firstOf(range: PoolRange): Address | undefined {
  const known = firsts.get(range);
  if (known) return known;
  const first = parseIp(range.first);
  if (first) firsts.set(range, first);
  return first;
}

/** Of which pool an address or prefix is a unit. */
export type UnitPlace = { readonly pool: Pool; readonly unit: string };

/** Finds units by address; for the pools of one tenant. */
export function createUnitIndex(pools: readonly Pool[]) {
  const spans = Map.groupBy(
    pools.flatMap((pool) => pool.ranges.map((range) => spanOf(pool, range))),
    ({ pool }) => pool.family,
  );
  for (const list of spans.values()) list.sort((a, b) => (a.first < b.first ? -1 : 1));

  return {
    /** `text`: `100.64.0.7`, or a prefix `2001:db8::/56`; only a whole unit is one. */
    find(family: PoolFamily, text: string): UnitPlace | undefined {
      const list = spans.get(family);
      if (!list) return undefined;
      const [addressText = '', length] = text.split('/');
      const address = parseIp(addressText);
      if (!address) return undefined;
      let low = 0;
      let high = list.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((list[middle]?.first ?? 0n) <= address.value) low = middle + 1;
        else high = middle;
      }
      const span = list[low - 1];
      if (!span || address.value > span.last || address.bits !== span.bits) return undefined;
      if (Number(length ?? address.bits) !== span.pool.unitLength) return undefined;
      return { pool: span.pool, unit: `${span.range.id}:${(address.value - span.first) >> span.shift}` };
    },
  };
}

type Span = {
  readonly pool: Pool;
  readonly range: PoolRange;
  readonly bits: number;
  readonly shift: bigint;
  readonly first: bigint;
  readonly last: bigint;
};

function spanOf(pool: Pool, range: PoolRange): Span {
  const { bits, value: first } = parseIp(range.first) ?? { bits: 32 as const, value: 0n };
  const shift = BigInt(bits - pool.unitLength);
  return { pool, range, bits, shift, first, last: first + (BigInt(range.size) << shift) - 1n };
}
