// What access servers and subscribers know of a pool's addresses: the oracle that no address is ever with two at once.
import type { LoginGrant } from '#policy/ledger/login.ts';
import type { Pool } from '#policy/network/pool.ts';

export const coolDownMs = 300_000;
export const holdMs = 120_000;

export function poolOf(change: Partial<Pool> = {}): Pool {
  return {
    ...{ tenantId: 1, id: 5, name: 'homes', family: 'ipv4', priority: 0, fallbackId: null, nasId: null },
    ...{ onExhausted: 'reject', unitLength: 32, coolDownMs, reserve: 0 },
    ranges: [{ id: 1, first: '100.64.0.0', size: 4, draining: false }],
    ...change,
  };
}

export type Subscriber = { readonly sub: number; readonly holder: string };
type Held = Subscriber & { readonly kind: 'held'; untilMs: number };
type Live = Subscriber & { readonly kind: 'live'; readonly session: string };
/** `fromMs`: from then on another subscription may have it. */
type Free = { readonly kind: 'free'; readonly sub: number; readonly fromMs: number };

export function createPoolModel() {
  const units = new Map<string, Held | Live | Free>();

  function now(unit: string, nowMs: number): Held | Live | Free | undefined {
    const known = units.get(unit);
    if (known?.kind !== 'held' || known.untilMs > nowMs) return known;
    const free: Free = { kind: 'free', sub: known.sub, fromMs: known.untilMs + coolDownMs };
    units.set(unit, free);
    return free;
  }

  return {
    /** Undefined: all is well; else what is wrong with giving this unit to the login. `recovering`: when a session of it ended may be forgotten. */
    grant(unit: string, who: Subscriber, nowMs: number, recovering = false): string | undefined {
      const had = now(unit, nowMs);
      const same = had && 'holder' in had && had.holder === who.holder && had.sub === who.sub;
      if (had?.kind === 'live' && same) return undefined;
      units.set(unit, { ...who, kind: 'held', untilMs: nowMs + holdMs });
      if (!had || same || (had.kind === 'free' && (recovering || had.sub === who.sub || had.fromMs <= nowMs)))
        return undefined;
      return `${unit} for ${JSON.stringify(who)} at ${nowMs}: ${JSON.stringify(had)}`;
    },
    /** Whether a login may rightly be told that nothing is free. */
    full(pool: Pool, who: Subscriber, nowMs: number): boolean {
      return unitsOf(pool).every((unit) => {
        const had = now(unit, nowMs);
        if (!had) return false;
        if (had.kind === 'free') return had.fromMs > nowMs;
        return had.holder !== who.holder;
      });
    },
    start(unit: string, session: string): void {
      const had = units.get(unit);
      if (had && 'holder' in had) units.set(unit, { kind: 'live', sub: had.sub, holder: had.holder, session });
    },
    stop(unit: string, nowMs: number): void {
      const had = units.get(unit);
      if (had) units.set(unit, { kind: 'free', sub: had.sub, fromMs: nowMs + coolDownMs });
    },
    live: () => [...units].flatMap(([unit, had]) => (had.kind === 'live' ? [{ unit, ...had }] : [])),
    held: (nowMs: number) =>
      [...units.keys()].flatMap((unit) => {
        const had = now(unit, nowMs);
        return had?.kind === 'held' ? [{ unit, ...had }] : [];
      }),
  };
}

export function unitsOf({ ranges }: Pool): string[] {
  return ranges.flatMap(({ id, size }) => Array.from({ length: size }, (_, offset) => `${id}:${offset}`));
}

export function unitOf(grant: LoginGrant): string | null {
  if (grant.kind === 'refused') throw new Error('the login was refused');
  return grant.units[0] ?? null;
}
