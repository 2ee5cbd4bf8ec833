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

/** What one login asks of one slot. */
type SlotAsk = {
  readonly nowMs: number;
  /** Key and hash tag: in a cluster those of one group go together. */
  readonly group: string;
  /** Of each part a name and five arguments, as lua/login.lua takes them. */
  readonly args: (string | number)[];
  /** That it draws from. */
  readonly pools: Pool[];
};
type RawAnswer = string | [kind: 'leased' | 'exhausted' | 'recovering', unit: string, sequence: number];
type RawAnswers = RawAnswer[] | ['error', text: string];

/** A name and its arguments. */
const partLength = 6;
/** While so many are asked about Redis does nothing else. */
const mostTogether = 32;

export function createLoginLedger(redis: Redis | Cluster, options: LoginLedgerOptions = {}) {
  const { call } = createFunctionCaller(redis, () => {});
  const seen = options.seen ?? new Map<number, number>();
  const hold = options.holdMs ?? holdMs;
  const settle = options.settleMs ?? settleMs;
  const isCluster = redis instanceof Cluster;
  const askTogether = createTogether<SlotAsk, RawAnswer[]>({
    groupOf: ({ group }) => (isCluster ? group : ''),
    most: mostTogether,
    send: (asks) => send('login_ask', asks),
  });

  function addPool(args: SlotAsk['args'], ask: LoginAsk, { pool, holder }: PoolAsk): void {
    args.push('pool', pool.id, ask.subscriptionId, holder, ask.oneSession ? 1 : 0, ask.poolHoldMs ?? hold);
  }

  async function send(name: 'login_ask' | 'login_look', asks: readonly SlotAsk[]): Promise<(RawAnswer[] | Error)[]> {
    const pools = new Map<number, Pool>();
    const args: (string | number)[] = [];
    let nowMs = 0;
    for (const ask of asks) {
      nowMs = Math.max(nowMs, ask.nowMs);
      for (const pool of ask.pools) pools.set(pool.id, pool);
      args.push(ask.args.length / partLength);
      for (const arg of ask.args) args.push(arg);
    }
    const terms = [...pools.values()].flatMap((pool) => [
      ...[pool.id, seen.get(pool.id) ?? 0, pool.coolDownMs, settle, rangesText(pool, nowMs)],
    ]);
    const { group = '' } = asks[0] ?? {};
    const answers = (await call(name, [group], [nowMs, hold, pools.size, ...terms, ...args])) as RawAnswers[];
    return answers.map((found) => (isError(found) ? new Error(`the ledger says: ${found[1]}`) : found));
  }

  /** @throws when the ledger cannot tell */
  async function lookAt(ask: SlotAsk): Promise<RawAnswer[]> {
    const [found] = await send('login_look', [ask]);
    if (!found || found instanceof Error) throw found ?? new Error('the ledger answered nothing');
    return found;
  }

  /** At once; in a cluster for the subscription first and then for each pool, because each lies in its own slot. */
  function answerOf(ask: LoginAsk, asked: (ask: SlotAsk) => Promise<RawAnswer[]>): Promise<LoginGrant> {
    const own = partitionAsk(ask);
    if (isCluster) return answerInSlots(ask, own, asked);
    for (const one of ask.pools) {
      addPool(own.args, ask, one);
      own.pools.push(one.pool);
    }
    if (own.args.length === 0) return Promise.resolve(grantOf(ask, []));
    return asked(own).then((answers) => grantOf(ask, answers));
  }

  async function answerInSlots(
    ask: LoginAsk,
    own: SlotAsk,
    asked: (ask: SlotAsk) => Promise<RawAnswer[]>,
  ): Promise<LoginGrant> {
    const answers = own.args.length > 0 ? await asked(own) : [];
    if (answers.at(-1) === 'refused') return grantOf(ask, answers);
    const ofPools = ask.pools.map((one) => {
      const { pool } = one;
      const ofPool: SlotAsk = { nowMs: ask.nowMs, group: keys.pool(pool.id), args: [], pools: [pool] };
      addPool(ofPool.args, ask, one);
      return asked(ofPool);
    });
    return grantOf(ask, [...answers, ...(await Promise.all(ofPools)).flat()]);
  }

  function grantOf(ask: LoginAsk, answers: readonly RawAnswer[]): LoginGrant {
    const units: (string | null)[] = [];
    const recovering: boolean[] = [];
    let learned = false;
    // Those of the subscription come first, and of them that of the limit.
    const own = (ask.limit ? 1 : 0) + (ask.mac ? 1 : 0);
    for (const [at, answer] of answers.entries()) {
      if (answer === 'refused') return { kind: 'refused', by: ask.limit && at === 0 ? 'session_limit' : 'mac' };
      if (at < own) {
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

function partitionAsk({ nowMs, tenantId, subscriptionId, place, limit, mac }: LoginAsk): SlotAsk {
  const group = tag(partitionOf(tenantId, subscriptionId));
  const owner = `${tenantId}:${subscriptionId}`;
  const args: (string | number)[] = [];
  if (limit) args.push('limit', group, owner, placeText(place), limit.sessions, limit.aliveMs);
  if (mac) args.push('mac', group, owner, mac.address, mac.most, mac.mode);
  return { nowMs, group, args, pools: [] };
}
