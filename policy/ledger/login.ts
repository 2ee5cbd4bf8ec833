// What logins ask of the ledger before they are answered: one more session, one more device, addresses of pools. One call for all of a moment.
import { Cluster, type Redis } from 'ioredis';
import { isNewRange, type Pool } from '../network/pool.ts';
import { createFunctionCaller } from './call.ts';
import { keys, partitionOf, tag } from './keys.ts';
import { createTogether } from './together.ts';

export const macModes = ['lock', 'replace'] as const;
/** lock: a further device is refused. replace: it takes the place of the one that was away for longest. */
export type MacMode = (typeof macModes)[number];

/** Where the session comes in: a login at the same place is the same session again. */
export type LoginPlace = {
  readonly nasInstance: string;
  readonly callingStationId: string;
  /** As in accounting: decimal NAS-Port, NAS-Port-Id; '' without. */
  readonly nasPort: string;
  readonly nasPortId: string;
};

export type PoolAsk = {
  readonly pool: Pool;
  /** Names the login: the same one again is given the same unit. No `|` in it. */
  readonly holder: string;
};

export type LoginAsk = {
  readonly nowMs: number;
  readonly tenantId: number;
  readonly subscriptionId: number;
  readonly place: LoginPlace;
  /** Refused when so many sessions are alive at other places; heard of within `aliveMs`. */
  readonly limit?: { readonly sessions: number; readonly aliveMs: number } | undefined;
  readonly mac?: { readonly address: string; readonly most: number; readonly mode: MacMode } | undefined;
  readonly pools: readonly PoolAsk[];
  /** It has no other session, so no other one has its last address. */
  readonly oneSession?: boolean | undefined;
  /** How long the addresses wait for their session to name them; as configured of the ledger unless said otherwise. */
  readonly poolHoldMs?: number;
};

export type LoginGrant =
  | { readonly kind: 'refused'; readonly by: 'session_limit' | 'mac' }
  /** For each pool that was asked the unit, or null: nothing is free. */
  | {
      readonly kind: 'granted';
      readonly learned: boolean;
      readonly units: readonly (string | null)[];
      /** Of the pools that were asked: nothing is known to be free, because the store went back in time. */
      readonly recovering: readonly boolean[];
    };

/** Highest sequence of each pool that this process has seen: a store that knows less went back in time. */
export type SeenSequences = Map<number, number>;

export type LoginLedgerOptions = {
  readonly seen?: SeenSequences;
  /** How long an address, and a place among the sessions, wait for the Start. */
  readonly holdMs?: number;
  /** After the store went back in time: so long nothing passes from one subscription to another. */
  readonly settleMs?: number;
};

export const holdMs = 120_000;
export const settleMs = 15 * 60_000;

/** A name and five arguments, as lua/login.lua takes them. */
type Part = {
  /** A key of its slot. */
  readonly slot: string;
  /** In a cluster those of one group go together: all of its keys lie in one slot. */
  readonly group: string;
  readonly name: 'session_limit' | 'mac' | 'pool';
  readonly args: readonly (string | number)[];
  /** That it draws from. */
  readonly pool?: Pool;
};
/** What one login asks of one slot. */
type SlotAsk = { readonly nowMs: number; readonly parts: readonly Part[] };
type RawAnswer = string | [kind: 'leased' | 'exhausted' | 'recovering', unit: string, sequence: number];
type RawAnswers = RawAnswer[] | ['error', text: string];

/** While so many are asked about Redis does nothing else. */
const mostTogether = 32;

export function createLoginLedger(redis: Redis | Cluster, options: LoginLedgerOptions = {}) {
  const { call } = createFunctionCaller(redis, () => {});
  const seen = options.seen ?? new Map<number, number>();
  const hold = options.holdMs ?? holdMs;
  const settle = options.settleMs ?? settleMs;
  const isCluster = redis instanceof Cluster;
  const askTogether = createTogether<SlotAsk, RawAnswer[]>({
    groupOf: ({ parts }) => (isCluster ? (parts[0]?.group ?? '') : ''),
    most: mostTogether,
    send: (asks) => send('login_ask', asks),
  });

  function poolPart(ask: LoginAsk, { pool, holder }: PoolAsk): Part {
    const args = ['pool', pool.id, ask.subscriptionId, holder, ask.oneSession ? 1 : 0, ask.poolHoldMs ?? hold];
    const slot = keys.pool(pool.id);
    return { slot, group: slot, name: 'pool', args, pool };
  }

  async function send(name: 'login_ask' | 'login_look', asks: readonly SlotAsk[]): Promise<(RawAnswer[] | Error)[]> {
    const pools = new Map<number, Pool>();
    const args: (string | number)[] = [];
    let nowMs = 0;
    for (const ask of asks) {
      nowMs = Math.max(nowMs, ask.nowMs);
      args.push(ask.parts.length);
      for (const part of ask.parts) {
        if (part.pool) pools.set(part.pool.id, part.pool);
        args.push(...part.args);
      }
    }
    const terms = [...pools.values()].flatMap((pool) => [
      ...[pool.id, seen.get(pool.id) ?? 0, pool.coolDownMs, settle, rangesText(pool, nowMs)],
    ]);
    const slot = asks[0]?.parts[0]?.slot ?? '';
    const answers = (await call(name, [slot], [nowMs, hold, pools.size, ...terms, ...args])) as RawAnswers[];
    return answers.map((found) => (isError(found) ? new Error(`the ledger says: ${found[1]}`) : found));
  }

  /** @throws when the ledger cannot tell */
  async function lookAt(ask: SlotAsk): Promise<RawAnswer[]> {
    const [found] = await send('login_look', [ask]);
    if (!found || found instanceof Error) throw found ?? new Error('the ledger answered nothing');
    return found;
  }

  /** At once; in a cluster for the subscription first and then for each pool, because each lies in its own slot. */
  async function answerOf(ask: LoginAsk, asked: (ask: SlotAsk) => Promise<RawAnswer[]>): Promise<LoginGrant> {
    const ofSlot = async (parts: readonly Part[]): Promise<RawAnswer[]> =>
      parts.length > 0 ? asked({ nowMs: ask.nowMs, parts }) : [];
    const own = partitionParts(ask);
    const pools = ask.pools.map((pool) => poolPart(ask, pool));
    if (!isCluster) return grantOf(ask, own, await ofSlot([...own, ...pools]));
    const answers = await ofSlot(own);
    if (answers.at(-1) !== 'refused') {
      answers.push(...(await Promise.all(pools.map((pool) => ofSlot([pool])))).flat());
    }
    return grantOf(ask, own, answers);
  }

  function grantOf(ask: LoginAsk, own: readonly Part[], answers: readonly RawAnswer[]): LoginGrant {
    const units: (string | null)[] = [];
    const recovering: boolean[] = [];
    let learned = false;
    for (const [index, answer] of answers.entries()) {
      const part = own[index];
      if (answer === 'refused') return { kind: 'refused', by: part?.name === 'mac' ? 'mac' : 'session_limit' };
      if (part) {
        learned ||= answer === 'learned';
        continue;
      }
      if (typeof answer === 'string') throw new Error(`the ledger answered ${answer} for a pool`);
      const [kind, unit, sequence] = answer;
      const id = ask.pools[units.length]?.pool.id ?? 0;
      seen.set(id, Math.max(seen.get(id) ?? 0, sequence));
      units.push(kind === 'leased' ? unit : null);
      recovering.push(kind === 'recovering');
    }
    return { kind: 'granted', learned, units, recovering };
  }

  return {
    ask: (ask: LoginAsk) => answerOf(ask, askTogether),
    /** What `ask` would answer now: no session, device or address is taken, which the store itself sees to. */
    look: (ask: LoginAsk) => answerOf(ask, lookAt),
  };
}

/** Of a part the first text is its answer; there is none of this name. */
function isError(answers: RawAnswers): answers is ['error', string] {
  return answers[0] === 'error';
}

export type LoginLedger = Pick<ReturnType<typeof createLoginLedger>, 'ask'>;

/** `<range>,<size>;…` of the ranges that units are leased from; `<range>,<size>,new;` of those that are looked through first. */
export function rangesText({ ranges }: Pick<Pool, 'ranges'>, nowMs: number): string {
  return ranges
    .filter(({ draining }) => !draining)
    .map((range) => `${range.id},${range.size}${isNewRange(range, nowMs) ? ',new' : ''};`)
    .join('');
}

/** As lua/login.lua makes it of a session. */
export function placeText({ nasInstance, callingStationId, nasPort, nasPortId }: LoginPlace): string {
  const device = callingStationId.replace(/[^\da-f]/gi, '').toLowerCase();
  return `${nasInstance}|${device}|${nasPortId === '' ? nasPort : nasPortId}`;
}

function partitionParts({ tenantId, subscriptionId, place, limit, mac }: LoginAsk): Part[] {
  const partition = partitionOf(tenantId, subscriptionId);
  const group = tag(partition);
  const at = { slot: keys.usage(partition, tenantId, subscriptionId), group };
  const who = [group, `${tenantId}:${subscriptionId}`];
  const parts: Part[] = [];
  if (limit) {
    const args = ['limit', ...who, placeText(place), limit.sessions, limit.aliveMs];
    parts.push({ ...at, name: 'session_limit', args });
  }
  if (mac) parts.push({ ...at, name: 'mac', args: ['mac', ...who, mac.address, mac.most, mac.mode] });
  return parts;
}
