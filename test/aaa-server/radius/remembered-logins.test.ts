// What a worker remembers of logins: answered octet for octet as if it were decided anew, and never once something has changed.
import { randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';
import { counterFamilies, createCounters, sumOf } from '#aaa-server/counters.ts';
import { createAnswerLogin } from '#aaa-server/radius/answer-login.ts';
import { createRadiusHandler } from '#aaa-server/radius/handler.ts';
import { createRememberedLogins } from '#aaa-server/radius/remembered-logins.ts';
import { createChanges } from '#aaa-server/subscribers/changes.ts';
import { encodeProfileRecord } from '#aaa-server/subscribers/encoding.ts';
import { openNodeForWriting, setCurrentSnapshot } from '#aaa-server/subscribers/environment.ts';
import { recordKey } from '#aaa-server/subscribers/keys.ts';
import { metaKeys, numberBytes } from '#aaa-server/subscribers/meta.ts';
import { openSnapshotReader } from '#aaa-server/subscribers/reader.ts';
import type {
  NasRecord,
  PlanRecord,
  ProfileRecord,
  SnapshotReader,
  SubscriptionRecord,
  TenantRecord,
} from '#aaa-server/subscribers/records.ts';
import type { SourceRow } from '#aaa-server/subscribers/rows.ts';
import { openSnapshot } from '#aaa-server/subscribers/snapshot.ts';
import { attribute } from '#aaa-server/wire/attributes.ts';
import { chapResponse } from '#aaa-server/wire/chap.ts';
import type { PacketBuilder } from '#aaa-server/wire/encode.ts';
import { code } from '#aaa-server/wire/packet.ts';
import { hidePassword } from '#aaa-server/wire/user-password.ts';
import type { UdpSocket } from '#ops/runtime/udp.ts';
import { until } from '#test/support/wait.ts';
import { temporaryFolder } from '../subscribers/harness.ts';
import { accessRequest, proxyState, secret } from '../support/driven.ts';
import { createIsp, keyring, nasOf } from '../support/isp.ts';

const dayMs = 86_400_000;

async function createPair(
  t: Test,
  nas: Partial<NasRecord> = {},
  subscription: Partial<SubscriptionRecord> = {},
  marksStandMs = 5,
  shared: { readonly tenant?: Partial<TenantRecord>; readonly plan?: Partial<PlanRecord> } = {},
) {
  const folder = temporaryFolder(t);
  const isp = createIsp();
  isp.setNases([nasOf(nas)]);
  isp.addSubscriber('alice', 'wonderland', subscription);
  isp.addSubscriber('bob@isp.example', 'builder');
  isp.addSubscriber('carl', 'carpet', {}, 'isp.example');
  const changes = { snapshot: createChanges(), profiles: createChanges() };
  const snapshot = openSnapshot(folder, 'snapshot-1.mdb', 0, changes.snapshot);
  const node = openNodeForWriting(folder);
  const marks = { complete: true, feedAliveAtMs: Date.now() };
  await snapshot.put(
    isp.rows().map((row) => {
      if (row.kind === 'tenant') return { ...row, record: { ...row.record, ...shared.tenant } };
      return row.kind === 'plan' ? { ...row, record: { ...row.record, ...shared.plan } } : row;
    }),
  );
  await snapshot.mark(marks);
  await node.put(metaKeys.mirrorInStep, numberBytes(Date.now()));
  await setCurrentSnapshot(node, snapshot.file);
  const reader = openSnapshotReader({ path: folder, marksStandMs, swapCheckMs: 5, changes });
  t.teardown(async () => {
    await reader.close();
    await snapshot.close();
    await node.close();
  });

  const watched: SnapshotReader = {
    ...reader,
    credential(...key) {
      pair.reads++;
      return reader.credential(...key);
    },
  };
  const answers = {
    snapshot: watched,
    clock: { nowMs: () => Date.now() + pair.laterMs, monotonicMs: () => pair.asked * 20_000 },
    classKey: keyring.derive('class'),
    feedSilence: { toleratedMs: 900_000, extraGraceMs: 0 },
    random: () => 0.25,
    uuid: () => Buffer.alloc(16, 7),
    counters: createCounters(),
  };
  const open = (remembers: boolean) =>
    createRadiusHandler({
      ...answers,
      ...{ keyring, rejectDelayMs: 0, crypt: 'not in this test' },
      ...(remembers ? { remembered: createRememberedLogins(answers, 32) } : {}),
      authorize: createAnswerLogin(answers),
      receiveAccounting: () => ({ ok: false, reason: 'not in this test', ack: false }),
      append: async () => undefined,
      eap: { node: 'node', worker: 0, workers: 1, makers: [] },
      handOver: () => undefined,
      later: () => undefined,
      warn: (message, fields) => t.fail(message, fields),
    });
  const [remembering, deciding] = [open(true), open(false)];

  function give(handler: typeof deciding, datagram: Buffer): Buffer | undefined {
    let given: Buffer | undefined;
    const keep = (data: Buffer, start: number, length: number) => {
      given = Buffer.from(data.subarray(start, start + length));
    };
    const socket: UdpSocket = { address: '127.0.0.1', port: 1812, index: 0, send: (_peer, ...reply) => keep(...reply) };
    const peers = [{ address: '127.0.0.1', port: 40_000 }];
    const batch = { count: 1, data: [datagram], starts: [0], lengths: [datagram.length], peers };
    handler.handleBatch('auth', { ...batch, reply: (_i, ...reply) => keep(...reply) }, socket, 0);
    return given;
  }

  let counted = new Map<string, number>();
  const pair = {
    ...{ isp, changes, snapshot, node, folder, marks, reader },
    /** What was counted of remembered logins since it was asked for last. */
    counted() {
      const { values } = counterFamilies.remembered;
      const sums = values.map((value) => [value, sumOf([answers.counters.array], 'remembered', value)] as const);
      const changed = sums.filter(([value, sum]) => sum !== (counted.get(value) ?? 0));
      const found = Object.fromEntries(changed.map(([value, sum]) => [value, sum - (counted.get(value) ?? 0)]));
      counted = new Map(sums);
      return found;
    },
    reads: 0,
    laterMs: 0,
    /** Each time is a while later: access servers are looked at again, and no request is a repetition. */
    asked: 0,
    /** What both answer, which is the same; '' for nothing. `read`: how often the one that remembers looked for a credential. */
    ask(userName = 'alice', password = 'wonderland', extra?: (builder: PacketBuilder) => void, request = pap) {
      const datagram = request(userName, password, extra);
      pair.asked++;
      const before = give(deciding, datagram);
      pair.reads = 0;
      const reply = give(remembering, datagram);
      const read = pair.reads;
      // A change may come in between: then the answer is that of afterwards.
      pair.asked++;
      const plain = reply && before?.equals(reply) ? before : give(deciding, datagram);
      if (!plain || !reply?.equals(plain)) t.strictSame(reply, plain, `the same answer for ${userName}`);
      return { code: plain?.[0], text: plain?.toString('latin1') ?? '', read };
    },
    row: (change: Partial<SubscriptionRecord>): SourceRow[] =>
      isp.rows().flatMap((row) => {
        const isAlice = row.kind === 'subscription' && row.record.id === 1;
        return isAlice ? [{ ...row, record: { ...row.record, ...change } }] : [];
      }),
    /** Alice is remembered; then the change happens, and she gets `text` as soon as somebody who reads would give it to her. */
    async seen(
      what: string,
      change: () => unknown,
      isSeen: (answer: { code: number | undefined; text: string }) => boolean,
    ) {
      pair.ask();
      await until(() => pair.ask().read === 0, `alice is remembered before ${what}`);
      t.notOk(isSeen(pair.ask()), `not before ${what}`);
      await change();
      await until(() => isSeen(pair.ask()), what);
    },
  };
  return pair;
}

function pap(userName: string, password: string, extra?: (builder: PacketBuilder) => void): Buffer {
  return accessRequest(
    (builder, authenticator) => {
      builder.add(attribute.userName, userName);
      builder.add(attribute.userPassword, hidePassword(Buffer.from(password), secret, authenticator));
    },
    { messageAuthenticator: true, ...(extra ? { extra } : {}) },
  );
}

function chap(userName: string, password: string, extra?: (builder: PacketBuilder) => void): Buffer {
  return accessRequest(
    (builder, authenticator) => {
      builder.add(attribute.userName, userName);
      builder.add(attribute.chapPassword, answerTo(authenticator, password));
    },
    { messageAuthenticator: true, ...(extra ? { extra } : {}) },
  );
}

function challenged(userName: string, password: string, extra?: (builder: PacketBuilder) => void): Buffer {
  const challenge = randomBytes(23);
  return accessRequest(
    (builder) => {
      builder.add(attribute.userName, userName);
      builder.add(attribute.chapPassword, answerTo(challenge, password));
      builder.add(attribute.chapChallenge, challenge);
    },
    { messageAuthenticator: true, ...(extra ? { extra } : {}) },
  );
}

function answerTo(challenge: Buffer, password: string): Buffer {
  const identifier = challenge[0] ?? 0;
  return Buffer.concat([Buffer.of(identifier), chapResponse(identifier, Buffer.from(password), challenge)]);
}

function eapIdentity(builder: PacketBuilder): void {
  builder.add(attribute.userName, 'alice');
  builder.add(attribute.eapMessage, Buffer.from('0200000a01616c696365', 'hex'));
}

const noPools = { ipv4PoolId: null, ipv6PoolId: null, delegatedPoolId: null };
/** As the feed gives the terms of a tariff that has none. */
const noTerms = { ...noPools, sessionLimit: 0, macLimit: 0, macMode: 'lock' } as const;

const accepted = code.accessAccept;
const rejected = code.accessReject;

t.test('a login that was accepted before is answered the same without a look into the snapshot', async (t) => {
  const text = (type: number, value: string) => ({ vendor: 0, type, value: Buffer.from(value) });
  for (const [nas, subscription] of [
    [{}, {}],
    [{ attributes: [text(11, 'filter')] }, { paidUntilMs: Date.now() + 10 * dayMs }],
    [{ vendor: 'cisco', policies: [{ upBps: 5e6, downBps: 20e6, name: 'basic', upName: null }] }, {}],
    [{ vendor: 'huawei', replyMessageAuthenticator: false }, { paidUntilMs: Date.now() + 1_800_000 }],
  ] as const) {
    const pair = await createPair(t, nas, subscription);
    t.match(pair.ask(), { code: accepted }, 'the first time it is decided');
    t.match(pair.ask(), { code: accepted, read: 0 });
    t.match(pair.ask('alice', 'wonderland', proxyState), { code: accepted, read: 0 }, 'with a Proxy-State');
    t.match(pair.ask('alice', 'wonderland!'), { code: rejected }, 'another password is another login');
    t.match(pair.ask('alice', ''), { code: rejected });
    t.match(pair.ask('alic', 'wonderland'), { code: rejected });
    t.match(pair.ask('bob@isp.example', 'builder'), { code: accepted });
    t.match(pair.ask('bob@isp.example', 'builder'), { code: accepted, read: 0 });
    t.match(pair.ask('bob@isp.example', 'wonderland'), { code: rejected });
    t.match(pair.ask(), { code: accepted, read: 0 }, 'and is still known');
  }
});

t.test('each login is counted: answered from memory, or why it was decided anew', async (t) => {
  const pair = await createPair(t);
  const { isp, snapshot } = pair;
  pair.ask();
  t.strictSame(pair.counted(), { unknown: 1, kept: 1 });
  for (let i = 0; i < 3; i++) pair.ask();
  t.strictSame(pair.counted(), { answered: 3 });
  pair.ask('alice', 'guess');
  t.strictSame(pair.counted(), { other_password: 1 });
  pair.ask('nobody', 'guess');
  t.strictSame(pair.counted(), { unknown: 1 });
  const unproven = (userName: string, password: string) =>
    accessRequest((builder, authenticator) => {
      builder.add(attribute.userName, userName);
      builder.add(attribute.userPassword, hidePassword(Buffer.from(password), secret, authenticator));
    });
  t.match(pair.ask('alice', 'wonderland', undefined, unproven), { code: accepted });
  t.strictSame(pair.counted(), { unproven: 1 });
  const eap = () => accessRequest(eapIdentity, { messageAuthenticator: true });
  t.match(pair.ask('alice', '', undefined, eap), { code: rejected });
  t.strictSame(pair.counted(), { other_method: 1 });
  isp.setNases([nasOf({ attributes: [{ vendor: 0, type: 11, value: Buffer.from('filter') }] })]);
  await snapshot.put(isp.rows());
  await until(() => pair.ask().text.includes('filter'), 'the access server is told more');
  const { changed = 0, kept = 0 } = pair.counted();
  t.ok(changed > 0 && kept > 0, `changed ${changed}, kept ${kept}`);
  pair.laterMs = 301_000;
  pair.ask();
  t.strictSame(pair.counted(), { mirror_behind: 1 });
  const pooled = await createPair(t, {}, { network: { ...noTerms, ipv4PoolId: 7 } });
  for (let i = 0; i < 2; i++) pooled.ask();
  t.strictSame(pooled.counted(), { unknown: 2 }, 'what may not be kept is unknown again');
});

t.test('what depends on more than one record is decided each time', async (t) => {
  const refuses = { sessionMode: 'refuse' } as const;
  const own = { ...noPools, sessionLimit: null, macLimit: null, macMode: null };
  for (const [subscription, shared] of [
    [{ addresses: [{ kind: 'ipv4', prefix: '10.0.0.7/32' }] }, {}],
    [{ attributes: [{ vendor: 0, type: 11, value: Buffer.from('filter') }] }, {}],
    [{ network: { ...own, sessionLimit: 1 } }, { tenant: refuses }],
    [{ network: { ...own, ipv4PoolId: 7 } }, {}],
    [{}, { tenant: refuses, plan: { network: { ...noTerms, sessionLimit: 1 } } }],
    [{}, { plan: { network: { ...noTerms, macLimit: 1 } } }],
    [{}, { plan: { network: { ...noTerms, delegatedPoolId: 7 } } }],
  ] as const) {
    const pair = await createPair(t, {}, subscription, 5, shared);
    for (let i = 0; i < 3; i++) t.match(pair.ask(), { code: accepted, read: 1 });
  }
  const pair = await createPair(t);
  for (let i = 0; i < 3; i++) t.match(pair.ask('carl@isp.example', 'carpet'), { code: accepted, read: 2 });
});

t.test('so is a login by CHAP, whose challenge is another one each time', async (t) => {
  for (const request of [chap, challenged]) {
    const pair = await createPair(t);
    const ask = (userName = 'alice', password = 'wonderland') => pair.ask(userName, password, undefined, request);
    t.match(ask(), { code: accepted }, 'the first time it is decided');
    t.match(ask(), { code: accepted, read: 0 });
    t.match(ask('alice', 'wonderland!'), { code: rejected }, 'another password is refused');
    t.match(ask('alice', ''), { code: rejected });
    t.match(ask('bob@isp.example', 'wonderland'), { code: rejected }, 'and so is the password of somebody else');
    t.match(pair.ask(), { code: accepted, read: 1 }, 'by PAP it is another login');
    t.match(pair.ask(), { code: accepted, read: 0 });
    t.match(ask(), { code: accepted, read: 0 }, 'and both are known');
    await pair.snapshot.put(
      pair.isp.rows().map((row) => {
        if (row.kind !== 'subscription' || row.record.id !== 1) return row;
        const passwordCipher = keyring.encrypt('credential', '1::alice', Buffer.from('looking glass'));
        return { ...row, credentials: row.credentials.map((credential) => ({ ...credential, passwordCipher })) };
      }),
    );
    await until(() => ask('alice', 'looking glass').code === accepted, 'the password is another one');
    t.match(ask(), { code: rejected }, 'the former one is right no more');
    t.match(ask('alice', 'looking glass'), { code: accepted, read: 0 });
  }
});

t.test('a password of CHAP that is longer than sixteen octets is looked up each time', async (t) => {
  const pair = await createPair(t);
  pair.isp.addSubscriber('dora', 'correct horse battery staple');
  await pair.snapshot.put(pair.isp.rows());
  const ask = () => pair.ask('dora', 'correct horse battery staple', undefined, chap);
  await until(() => ask().code === accepted, 'dora is known');
  for (let i = 0; i < 3; i++) t.match(ask(), { code: accepted, read: 1 });
});

t.test('a tariff that asks nothing of the ledger keeps no login from being remembered', async (t) => {
  for (const shared of [
    { plan: { network: noTerms, attributes: [] } },
    { tenant: { sessionMode: 'newest' }, plan: { network: { ...noTerms, sessionLimit: 1 } } },
  ] as const) {
    const pair = await createPair(t, {}, {}, 5, shared);
    t.match(pair.ask(), { code: accepted }, 'the first time it is decided');
    t.match(pair.ask(), { code: accepted, read: 0 });
  }
});

t.test('no change is seen later than by who reads each time', async (t) => {
  const pair = await createPair(t, {}, { paidUntilMs: Date.now() + dayMs });
  const { snapshot, node, isp, changes } = pair;
  const hold = { reason: 'admin', sinceMs: 0, untilMs: null } as const;

  await pair.seen(
    'a hold',
    () => snapshot.put(pair.row({ holds: [hold] })),
    (answer) => answer.code === rejected,
  );
  await snapshot.put(isp.rows());
  await until(() => pair.ask().code === accepted, 'it is lifted');

  const plan = isp.rows().flatMap((row) => (row.kind === 'plan' ? [row] : []));
  const faster = plan.map((row) => ({ ...row, record: { ...row.record, speed: { upBps: 7e6, downBps: 8e6 } } }));
  await pair.seen(
    'another speed of the tariff',
    () => snapshot.put(faster),
    ({ text }) => text.includes('7M/8M'),
  );

  let profileVersion = 0;
  const decide = async (change: Partial<ProfileRecord>) => {
    const record = { tenantId: 1, subscriptionId: 1, fupBlocked: false, fupUntilMs: null, decidedAtMs: 0 };
    const key = recordKey('profile', 1, 1);
    changes.profiles.mark([key], ++profileVersion);
    await node.batch(() => {
      void node.put(key, encodeProfileRecord({ ...record, fupSpeed: null, heldOutcome: null, ...change }));
      void node.put(metaKeys.profileGeneration, numberBytes(profileVersion));
    });
  };
  await pair.seen(
    'fair use',
    () => decide({ fupSpeed: { upBps: 1e6, downBps: 2e6 } }),
    ({ text }) => text.includes('1M/2M'),
  );
  await pair.seen(
    'the end of it',
    () => decide({ fupSpeed: { upBps: 1e6, downBps: 2e6 }, fupUntilMs: Date.now() - 1 }),
    ({ text }) => text.includes('7M/8M'),
  );
  await pair.seen(
    'access servers that are told more',
    () => {
      isp.setNases([nasOf({ attributes: [{ vendor: 0, type: 11, value: Buffer.from('filter') }] })]);
      return snapshot.put(isp.rows().filter(({ kind }) => kind === 'nas'));
    },
    ({ text }) => text.includes('filter'),
  );
  const passwordCipher = keyring.encrypt('credential', '1::alice', Buffer.from('another one'));
  await pair.seen(
    'another password',
    () =>
      snapshot.put(
        pair.row({}).map((row) => {
          if (row.kind !== 'subscription') throw new Error(row.kind);
          return { ...row, credentials: row.credentials.map((credential) => ({ ...credential, passwordCipher })) };
        }),
      ),
    (answer) => answer.code === rejected,
  );
  t.match(pair.ask('alice', 'another one'), { code: accepted });
  await snapshot.put(pair.row({}));
  await until(() => pair.ask().code === accepted, 'the old password again');
  await pair.seen(
    'a subscriber that is gone',
    () =>
      snapshot.remove([
        { kind: 'subscription', tenantId: 1, id: 1, gone: true, names: [{ realm: '', userName: 'alice' }] },
      ]),
    (answer) => answer.code === rejected,
  );
});

t.test('time alone ends what is remembered', async (t) => {
  const pair = await createPair(t, {}, { paidUntilMs: Date.now() + 100_000 });
  await pair.seen(
    'the end of what is paid',
    () => {
      pair.laterMs = 100_001;
    },
    (answer) => answer.code === rejected,
  );
  const silent = await createPair(t);
  await silent.seen(
    'the mirror of decided profiles falls behind',
    () => {
      silent.laterMs = 301_000;
    },
    () => silent.ask().read > 0,
  );
});

t.test('another process that writes, and another file: what was remembered before counts for nothing', async (t) => {
  // Changes of another process are seen by the marks of the snapshot alone, which otherwise may be some milliseconds old.
  const pair = await createPair(t, {}, {}, 0);
  await pair.seen(
    'a change by another process',
    () => openSnapshot(pair.folder, pair.snapshot.file).put(pair.row({ status: 'paused' })),
    (answer) => answer.code === rejected,
  );
  t.match(pair.ask('bob@isp.example', 'builder'), { code: accepted });
  t.ok(pair.ask('bob@isp.example', 'builder').read > 0, 'its marks are not ours, so everything is read');

  const swapped = await createPair(t);
  const { changes, isp, node, folder, marks } = swapped;
  await swapped.seen(
    'a full copy without alice',
    async () => {
      const next = openSnapshot(folder, 'snapshot-2.mdb', swapped.snapshot.generation() + 1, changes.snapshot);
      t.teardown(() => next.close());
      await next.put(isp.rows().filter(({ kind, record }) => kind !== 'subscription' || record.id !== 1));
      await next.mark(marks);
      await setCurrentSnapshot(node, next.file);
    },
    (answer) => answer.code === rejected,
  );
  await until(() => swapped.ask('bob@isp.example', 'builder').read === 0, 'whom the copy has is remembered again');
});

t.test('more logins than there is room for displace each other and are answered all the same', async (t) => {
  const pair = await createPair(t);
  for (let i = 0; i < 40; i++) pair.isp.addSubscriber(`many${i}`, `secret${i}`);
  await pair.snapshot.put(pair.isp.rows());
  await until(() => pair.ask('many39', 'secret39').code === accepted, 'all are there');
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 40; i++) {
      t.match(pair.ask(`many${i}`, `secret${i}`), { code: accepted });
      t.match(pair.ask(`many${i}`, `secret${i + 1}`), { code: rejected });
    }
  }
});

t.test('what is remembered lets nobody into a device, and nobody in where logins are kept away', async (t) => {
  const { ask, snapshot, isp } = await createPair(t);
  for (let i = 0; i < 3; i++) t.equal(ask().code, code.accessAccept);
  const prompt = (builder: PacketBuilder) => void builder.add(attribute.serviceType, 6);
  t.equal(ask('alice', 'wonderland', prompt).code, code.accessReject, 'a subscriber at the prompt of a router');
  isp.setNases([nasOf({ drain: { answer: 'silence', move: null } })]);
  await snapshot.put(isp.rows());
  await until(() => ask().code === undefined, 'the drain is known');
});
