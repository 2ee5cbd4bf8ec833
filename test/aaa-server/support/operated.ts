// A RADIUS worker over a small ISP in memory, with the tools that operators ask about it: explain, test logins, the auth log.
import { randomBytes, randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { createRefusedAnswer } from '#aaa-server/auth/refused-answer.ts';
import { type CounterFamily, type CounterValue, createCounters, sumOf } from '#aaa-server/counters.ts';
import { loadDictionary } from '#aaa-server/dictionaries/load.ts';
import { showPacket } from '#aaa-server/explain/attributes.ts';
import { createExplain } from '#aaa-server/explain/explain.ts';
import { accessRequestOf, type LoginProof, type LoginQuestion } from '#aaa-server/explain/request.ts';
import { createTestLogins } from '#aaa-server/explain/test-login.ts';
import { createLoginLog, type LoginBatch } from '#aaa-server/login-log/log.ts';
import { createLoginNetwork } from '#aaa-server/network/network.ts';
import { createAnswerLogin } from '#aaa-server/radius/answer-login.ts';
import { createRadiusHandler } from '#aaa-server/radius/handler.ts';
import type { DeviceUserRecord } from '#aaa-server/subscribers/device-users.ts';
import type {
  CredentialRecord,
  NasRecord,
  PlanRecord,
  ProfileRecord,
  SnapshotReader,
  SubscriptionRecord,
  TenantRecord,
} from '#aaa-server/subscribers/records.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code, decodePacket } from '#aaa-server/wire/packet.ts';
import type { Crypt } from '#ops/runtime/crypt.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import type { UdpSocket } from '#ops/runtime/udp.ts';
import type { PasswordScheme } from '#policy/credentials/password-scheme.ts';
import type { Pool } from '#policy/network/pool.ts';
import { until } from '#test/support/wait.ts';
import { createIsp, keyring, nasOf } from './isp.ts';

export const noonMs = Date.UTC(2026, 2, 4, 12);
export const dictionary = loadDictionary();

export type World = {
  tenant?: Partial<TenantRecord>;
  plan?: Partial<PlanRecord>;
  profile?: Partial<ProfileRecord>;
  pools?: readonly Pool[];
  nases?: readonly NasRecord[];
  deviceUsers?: readonly DeviceUserRecord[];
  /** Since when nothing was heard; undefined: a moment ago. */
  mirrorSilentSinceMs?: number;
  feedSilentSinceMs?: number;
  complete?: boolean;
};

export type OperatedOptions = {
  redis?: Redis;
  crypt?: Crypt | string;
  acceptsPerSecond?: number;
  rejectsPerSecond?: number;
};

/** Alice and the like are added by the tests; `world` may be changed at any time. */
export function createOperated(options: OperatedOptions = {}) {
  const { redis, crypt = 'not in this test', acceptsPerSecond = 200, rejectsPerSecond = 1000 } = options;
  const isp = createIsp();
  const world: World = {};
  let nasChanges = 1;
  const snapshot: SnapshotReader = {
    ...isp.snapshot,
    complete: () => world.complete ?? true,
    tenant(id) {
      const found = isp.snapshot.tenant(id);
      return found && { ...found, ...world.tenant };
    },
    plan(tenantId, id) {
      const found = isp.snapshot.plan(tenantId, id);
      return found && { ...found, ...world.plan };
    },
    profile(tenantId, subscriptionId) {
      if (!world.profile) return undefined;
      const usual = { fupSpeed: null, fupBlocked: false, fupUntilMs: null, heldOutcome: null, decidedAtMs: noonMs };
      return { tenantId, subscriptionId, ...usual, ...world.profile };
    },
    poolList: () => [...(world.pools ?? [])],
    deviceUserList: () => [...(world.deviceUsers ?? isp.snapshot.deviceUserList())],
    nasList: () => [...(world.nases ?? [nasOf()])],
    nasGeneration: () => nasChanges,
    mirrorState: () => ({ inStepAtMs: world.mirrorSilentSinceMs ?? noonMs }),
    feedAliveAtMs: () => world.feedSilentSinceMs ?? noonMs,
  };
  const clock = { nowMs: () => noonMs, monotonicMs: () => performance.now() };
  const counters = createCounters();
  const batches: LoginBatch[] = [];
  const loginLog = createLoginLog({
    ...{ snapshot, clock, node: 'node', worker: 3, acceptsPerSecond, rejectsPerSecond },
    send: (batch) => batches.push(batch),
  });
  const link = { current: () => redis, onConnected: (listen: (client: Redis) => void) => redis && listen(redis) };
  const network =
    redis &&
    createLoginNetwork({
      ...{ snapshot, redis: link, clock, registry: new Registry(), log: createLogger('test', 'silent') },
      ...{ owner: 'worker', budgetMs: 3000 },
    });
  const answering = {
    ...{ snapshot, clock, classKey: keyring.derive('class'), random: () => 0.5 },
    uuid: () => randomUUID().replaceAll('-', ''),
  };
  const feedSilence = { toleratedMs: 900_000, extraGraceMs: 86_400_000 };
  const later = (callback: () => void, ms: number) => void setTimeout(callback, ms).unref();
  const handler = createRadiusHandler({
    ...{ snapshot, keyring, clock, counters, crypt, later, loginLog },
    rejectDelayMs: 0,
    eap: { node: 'node', worker: 0, workers: 1, makers: [] },
    handOver: () => undefined,
    authorize: createAnswerLogin({ ...answering, feedSilence, ...(network ? { network } : {}) }),
    refusedAnswer: createRefusedAnswer({ ...answering, workers: 1 }),
    receiveAccounting: () => ({ ok: false, reason: 'not in this test', ack: false }),
    append: async () => undefined,
    warn: () => undefined,
  });

  const operated = {
    ...{ isp, world, snapshot, handler, loginLog, batches },
    counted: <F extends CounterFamily>(family: F, value: CounterValue<F>) => sumOf([counters.array], family, value),
    /** An access server was added or changed. */
    nasChanged(nases: readonly NasRecord[]) {
      world.nases = nases;
      nasChanges++;
    },
    add: (
      userName: string,
      password = 'secret',
      change: Partial<SubscriptionRecord> = {},
      realm = '',
      scheme: PasswordScheme = 'clear',
    ): CredentialRecord['subscriptionId'] => isp.addSubscriber(userName, password, change, realm, scheme),
    explain: createExplain({ snapshot, redis: link, keyring, clock, feedSilence, dictionary }),
    testLogin: createTestLogins({ handler, snapshot, keyring, clock, later }),
    /** A login by a packet of the first access server: the code of its reply and what it says. */
    async login(question: LoginQuestion, proof?: LoginProof, address = '127.0.0.1') {
      const nas = snapshot.nasList()[0]!;
      const data = accessRequestOf(nas, createSecret(Buffer.from('testing123')), question, proof);
      if (!data) throw new Error('the request does not fit');
      const sent: Buffer[] = [];
      const keep = (from: Buffer, start: number, length: number) =>
        sent.push(Buffer.from(from.subarray(start, start + length)));
      const socket: UdpSocket = { address, port: 1812, index: 0, send: (_peer, ...reply) => keep(...reply) };
      const port = randomBytes(2).readUInt16BE();
      handler.handleBatch(
        'auth',
        {
          ...{ count: 1, data: [data], starts: [0], lengths: [data.length] },
          peers: [{ address, port }],
          reply: (_i, ...reply) => keep(...reply),
        },
        socket,
        0,
      );
      await until(() => sent.length > 0 || handler.deciding() === 0, 'the decision', 20_000);
      const packet = sent[0] && decodePacket(sent[0]);
      if (!packet?.ok) return { code: 'none', attributes: [] };
      const name = Object.entries(code).find(([, value]) => value === packet.code)?.[0] ?? '';
      return { code: name, attributes: showPacket(dictionary, packet) };
    },
  };
  return operated;
}

export type Operated = ReturnType<typeof createOperated>;
