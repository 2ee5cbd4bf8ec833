// The API on a real database, with a ledger in memory, for the tests of control-api.

import { Client } from 'pg';
import { loadDictionary } from '#aaa-server/dictionaries/load.ts';
import { allowedAttribute } from '#aaa-server/proxy/allowed-attribute.ts';
import { encodeTyped } from '#aaa-server/wire/typed.ts';
import type { AaaTools } from '#control-api/aaa/edge.ts';
import type { Api } from '#control-api/api.ts';
import { buildApp } from '#control-api/app.ts';
import { hashPassword } from '#control-api/auth/password.ts';
import { createDb, type Db } from '#control-api/database/connect.ts';
import type { Deps } from '#control-api/deps.ts';
import type { UnknownSources } from '#control-api/nas/unknown.ts';
import { Problem } from '#control-api/problem.ts';
import type { LoggedLogin, LoginsQuery, RejectsQuery } from '#ops/history/logins.ts';
import type { TopTalker } from '#ops/history/top-talkers.ts';
import type { WindowSum, WindowSumsQuery } from '#ops/history/window-sums.ts';
import type { ReadyCheck } from '#ops/runtime/admin.ts';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { createRegistry } from '#ops/runtime/metrics.ts';
import type { ExporterTraffic } from '#ops/stores/exporter-traffic.ts';
import type { LearnedOfNas, NasUse } from '#ops/stores/nas-edge.ts';
import type { EnforcementAction } from '#policy/ledger/actions.ts';
import type { Brake, BrakeAnswer } from '#policy/ledger/brake.ts';
import type { LearnedMac } from '#policy/ledger/macs.ts';
import type { Lease, PoolUse } from '#policy/ledger/pools.ts';
import type { LiveSession, Usage } from '#policy/ledger/types.ts';
import { databaseForTest, type Teardown } from '#test/support/stores.ts';

export const password = 'a password of the tests';

// biome-ignore lint/suspicious/noExplicitAny: each test says itself what it expects of a body
export type Body = any;
export type Reply = { status: number; body: Body; headers: Record<string, unknown> };
export type Call = (method: string, url: string, body?: unknown, headers?: Record<string, string>) => Promise<Reply>;

export type TestApi = {
  readonly app: Api;
  readonly db: Db;
  readonly owner: Client;
  readonly keyring: Deps['keyring'];
  readonly ledger: MemoryLedger;
  readonly history: MemoryHistory;
  readonly network: MemoryNetwork;
  readonly brakes: Brake[];
  readonly held: Map<number, number>;
  readonly traffic: Map<string, ExporterTraffic>;
  readonly exporterTraffic: Deps['exporterTraffic'];
  /** What the edge knows of access servers, and the sources it does not know. */
  readonly edge: { learned: Map<number, LearnedOfNas>; uses: Map<number, NasUse> };
  readonly unknown: UnknownSources;
  /** Calls as nobody. */
  call: Call;
  /** Calls as a user; `email` of `as` must exist with the password of the tests. */
  signIn(email: string, tenant?: string): Promise<Call>;
  clock: { nowMs: number };
  /** How many sessions a move has told to end. */
  told: Map<number, number>;
};

export type MemoryLedger = {
  sessions: LiveSession[];
  usage: Map<number, Usage>;
  actions: EnforcementAction[];
  away: boolean;
  /** Up to here the history is complete. */
  completeMs: number;
};
/** Leases by pool, devices by subscription. */
export type MemoryNetwork = {
  uses: Map<number, PoolUse>;
  leases: Map<number, Lease[]>;
  macs: Map<number, LearnedMac[]>;
};
/** Sums by subscription; `asked`: every question. */
export type MemoryHistory = {
  sums: WindowSum[];
  asked: WindowSumsQuery[];
  away: boolean;
  /** Newest first, whatever is asked; and what was asked. */
  logins: LoggedLogin[];
  loginsAsked: LoginsQuery[];
  rejectsAsked: RejectsQuery[];
};

const zero = { upBytes: 0, downBytes: 0 };
const radius = loadDictionary();
const noNas = async () => {
  throw new Problem('nas_not_found', 'no aaa-server in this test knows one');
};
const noAaa: AaaTools = { explain: noNas, testLogin: noNas };

export type TestApiOptions = {
  topTalkers?: readonly TopTalker[];
  /** Puts the API, not the test, on another database. */
  databaseUrl?: string;
  neighbours?: Deps['neighbours'];
  aaa?: AaaTools;
  ready?: readonly ReadyCheck[];
};

export async function apiForTest(
  t: Teardown,
  { databaseUrl, neighbours = [], ready = [], topTalkers = [], aaa = noAaa }: TestApiOptions = {},
): Promise<TestApi> {
  const urls = await databaseForTest(t);
  const owner = new Client({ connectionString: urls.ownerUrl });
  await owner.connect();
  t.teardown(() => owner.end());
  const log = createLogger('test', process.env.TEST_LOG ?? 'silent');
  const db = createDb(databaseUrl ?? urls.appUrl, log);
  const keyring = createKeyring(['a secret of this test']);
  const completeMs = Number.POSITIVE_INFINITY;
  const ledger: MemoryLedger = { sessions: [], usage: new Map(), actions: [], away: false, completeMs };
  const history: MemoryHistory = {
    ...{ sums: [], asked: [], away: false, logins: [], loginsAsked: [], rejectsAsked: [] },
  };
  const network: MemoryNetwork = { uses: new Map(), leases: new Map(), macs: new Map() };
  const brakes: Brake[] = [];
  const told = new Map<number, number>();
  const held = new Map<number, number>();
  const traffic = new Map<string, ExporterTraffic>();
  const exporterTraffic = async () => {
    refuseWhenAway(ledger);
    return traffic;
  };
  const edge = { learned: new Map<number, LearnedOfNas>(), uses: new Map<number, NasUse>() };
  const unknown: UnknownSources = { data: [], networks: [] };
  const clock = { nowMs: Date.now() };
  const app = await buildApp(
    {
      db,
      keyring,
      clock: { nowMs: () => clock.nowMs, monotonicMs: () => performance.now() },
      ledger: {
        usage: async (_, subscriptionId) => {
          refuseWhenAway(ledger);
          return ledger.usage.get(subscriptionId) ?? { day: zero, week: zero, month: zero, all: zero };
        },
        sessionsOf: async (tenantId, subscriptionId) => {
          refuseWhenAway(ledger);
          return ledger.sessions.filter((one) => one.tenantId === tenantId && one.subscriptionId === subscriptionId);
        },
        listSessions: async (tenantId, { limit, search }) => {
          refuseWhenAway(ledger);
          const found = ledger.sessions.filter(
            (one) => one.tenantId === tenantId && (!search || one.userName === search),
          );
          return { sessions: found.slice(0, limit), nextCursor: null };
        },
        countSessions: async (tenantId) => {
          refuseWhenAway(ledger);
          return ledger.sessions.filter((one) => one.tenantId === tenantId).length;
        },
        actions: async (tenantId, limit) => {
          refuseWhenAway(ledger);
          return ledger.actions.filter((action) => action.tenantId === tenantId).slice(0, limit);
        },
        historyCompleteUntil: async (_, nowMs) => Math.min(nowMs, ledger.completeMs),
      },
      history: {
        windowSums: async (query) => {
          if (history.away) throw new Problem('history_unavailable', 'away');
          history.asked.push(query);
          return history.sums.filter(({ subscriptionId }) => query.subscriptionIds.includes(subscriptionId));
        },
        topTalkers: async ({ limit }) => topTalkers.slice(0, limit),
        logins: async (query) => {
          if (history.away) throw new Problem('history_unavailable', 'away');
          history.loginsAsked.push(query);
          return { logins: history.logins.slice(0, query.limit), leftOut: 4 };
        },
        rejects: async (query) => {
          if (history.away) throw new Problem('history_unavailable', 'away');
          history.rejectsAsked.push(query);
          return { hours: [], top: [], leftOut: 0 };
        },
      },
      brake: {
        list: async (tenantId) => brakes.filter((brake) => brake.tenantId === tenantId),
        confirm: async (tenantId, id, count) => settle(brakes, tenantId, id, count),
        cancel: async (tenantId, id) => settle(brakes, tenantId, id),
      },
      network: {
        poolUse: async (poolId) => {
          refuseWhenAway(ledger);
          return network.uses.get(poolId) ?? { used: 0, exhausted: 0, conflicts: 0, recoveries: 0, byRange: new Map() };
        },
        leases: async (poolId) => ({ leases: network.leases.get(poolId) ?? [], nextCursor: null }),
        free: async (poolId, unit) => {
          const leases = network.leases.get(poolId) ?? [];
          const at = leases.findIndex((lease) => lease.unit === unit);
          return at >= 0 && leases.splice(at, 1).length > 0;
        },
        macs: async ({ subscriptionId }) => network.macs.get(subscriptionId) ?? [],
        forgetMacs: async ({ subscriptionId }, address) => {
          const had = network.macs.get(subscriptionId) ?? [];
          const kept = had.filter((mac) => address !== undefined && mac.address !== address);
          network.macs.set(subscriptionId, kept);
          return had.length - kept.length;
        },
      },
      moveDesk: {
        openSessions: async (tenantId, nasId) => {
          refuseWhenAway(ledger);
          return ledger.sessions.filter((one) => one.tenantId === tenantId && one.nasId === nasId).length;
        },
        told: async (moveId) => told.get(moveId) ?? 0,
      },
      feedGuard: {
        held: async () =>
          [...held].map(([tenantId, count]) => ({
            tenantId,
            kind: 'removals',
            count,
            since: new Date(0).toISOString(),
          })),
        confirm: async (tenantId, count) => held.get(tenantId) === count && held.delete(tenantId),
      },
      dictionary: {
        encode: async (attributes) =>
          attributes.map(({ name, value }) => {
            const encoded = encodeTyped(radius, name, value);
            if (!encoded.ok) return { problem: encoded.reason };
            return { vendor: encoded.vendor, type: encoded.type, octets: encoded.value.toString('hex') };
          }),
        describe: async (names) => names.map((name) => allowedAttribute(radius, name)),
      },
      aaa,
      exporterTraffic,
      nasEdge: async () => {
        refuseWhenAway(ledger);
        return edge;
      },
      unknownSources: async () => unknown,
      radius: { addresses: ['127.0.0.1'], ports: [1812, 1813] },
      neighbours,
    },
    { log, registry: createRegistry('test'), ready, version: '0', trustProxy: ['127.0.0.1'] },
  );
  t.teardown(async () => {
    await app.close();
    await db.$client.end();
  });

  let callers = 0;
  const callWith =
    (token: string | undefined): Call =>
    async (method, url, body, headers = {}) => {
      const response = await app.inject({
        method: method as 'GET',
        url: url.startsWith('/api') || url === '/' ? url : `/api/v1${url}`,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          // Each test client has an address of its own: rate limits are tested on purpose, not by accident.
          'x-forwarded-for': `10.9.${callers >> 8}.${callers & 255}`,
          ...headers,
        },
        ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = response.body;
      const json = /json/.test(String(response.headers['content-type']));
      return { status: response.statusCode, body: json && text ? JSON.parse(text) : text, headers: response.headers };
    };

  return {
    app,
    db,
    owner,
    keyring,
    ledger,
    history,
    network,
    brakes,
    told,
    held,
    traffic,
    exporterTraffic,
    edge,
    unknown,
    clock,
    call: callWith(undefined),
    async signIn(email, tenant) {
      callers++;
      const reply = await callWith(undefined)('POST', '/auth/login', {
        identifier: email,
        password,
        ...(tenant ? { tenant } : {}),
      });
      if (reply.status !== 200) throw new Error(`login of ${email}: ${JSON.stringify(reply.body)}`);
      return callWith(reply.body.access_token);
    },
  };
}

let hash: Promise<string> | undefined;

/** A user straight in the database. */
export async function makeUser(
  { owner }: TestApi,
  email: string,
  role: string,
  tenantId: number | null,
): Promise<void> {
  hash ??= hashPassword(password);
  await owner.query('INSERT INTO app_user (tenant_id, email, role, password_hash) VALUES ($1, $2, $3, $4)', [
    tenantId,
    email,
    role,
    await hash,
  ]);
}

/** A tenant with one user per role (`<role>@<slug>`). */
export async function makeTenant(api: TestApi, slug: string): Promise<number> {
  const { rows } = await api.owner.query('INSERT INTO tenant (slug, name) VALUES ($1, $1) RETURNING id', [slug]);
  const id = Number(rows[0].id);
  for (const role of ['admin', 'operator', 'viewer']) await makeUser(api, `${role}@${slug}.example`, role, id);
  return id;
}

function settle(brakes: Brake[], tenantId: number, id: number, count?: number): BrakeAnswer {
  const found = brakes.find((brake) => brake.tenantId === tenantId && brake.id === id && brake.state === 'held');
  if (!found) return { ok: false, reason: 'unknown' };
  if (count !== undefined && count !== found.pending)
    return { ok: false, reason: 'count_differs', pending: found.pending };
  brakes.splice(brakes.indexOf(found), 1);
  return { ok: true, released: found.pending };
}

function refuseWhenAway(ledger: MemoryLedger): void {
  if (ledger.away) throw new Error('Connection is closed.');
}
