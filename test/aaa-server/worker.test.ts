// What a RADIUS worker answers, drops and remembers: its handler driven with buffers, then over real sockets with radclient.

import { randomBytes, randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import t from 'tap';
import { createAccountingReceiver } from '#aaa-server/accounting/receive.ts';
import { type CounterFamily, type CounterValue, createCounters, dropReasons, sumOf } from '#aaa-server/counters.ts';
import { createAnswerLogin } from '#aaa-server/radius/answer-login.ts';
import type { DuplicatesOptions } from '#aaa-server/radius/duplicates.ts';
import { createRadiusHandler } from '#aaa-server/radius/handler.ts';
import type { RadiusPort } from '#aaa-server/radius/request.ts';
import { createRadiusServer } from '#aaa-server/radius/server.ts';
import {
  attribute,
  eachAttribute,
  firstAttribute,
  firstVendorAttribute,
  octetsAt,
  textAt,
} from '#aaa-server/wire/attributes.ts';
import { verifyResponse } from '#aaa-server/wire/authenticators.ts';
import { chapResponse } from '#aaa-server/wire/chap.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { verifyMessageAuthenticator } from '#aaa-server/wire/message-authenticator.ts';
import { code, decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import { hidePassword } from '#aaa-server/wire/user-password.ts';
import type { Peer, UdpBatch, UdpSocket } from '#ops/runtime/udp.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';
import { runs } from '#test/support/effort.ts';
import { missing } from '#test/support/peers.ts';
import { radclient } from '#test/support/radclient.ts';
import { until } from '#test/support/wait.ts';
import { createIsp, keyring, nasOf } from './support/isp.ts';
import { mulberry32, mutate } from './support/mutate.ts';

const secret = createSecret(Buffer.from('testing123'));
const stranger = createSecret(Buffer.from('not the secret'));
const nas: Peer = { address: '127.0.0.1', port: 40_000 };

type WorkerOptions = {
  rejectDelayMs?: number;
  duplicates?: DuplicatesOptions;
  /** What policy answers waits for `worker.store`. */
  awaited?: boolean;
};

function createWorker(options: WorkerOptions = {}) {
  const isp = createIsp();
  const counters = createCounters();
  const clock = { nowMs: () => Date.now(), monotonicMs: () => worker.nowMs };
  const classKey = keyring.derive('class');
  const timers: (() => void)[] = [];
  const warnings: string[] = [];
  const records: AccountingRecord[] = [];
  const answerLogin = createAnswerLogin({
    snapshot: isp.snapshot,
    clock,
    classKey,
    feedSilence: { toleratedMs: 900_000, extraGraceMs: 0 },
    random: () => 0.5,
    uuid: () => randomUUID().replaceAll('-', ''),
  });
  const handler = createRadiusHandler(
    {
      snapshot: isp.snapshot,
      keyring,
      clock,
      counters,
      rejectDelayMs: options.rejectDelayMs ?? 0,
      crypt: 'not in this test',
      eap: { node: 'node', worker: 0, workers: 1, makers: [] },
      handOver: () => undefined,
      authorize: (access, credential) =>
        options.awaited ? worker.store.then(() => answerLogin(access, credential)) : answerLogin(access, credential),
      receiveAccounting: createAccountingReceiver({ snapshot: isp.snapshot, classKey }),
      append: async (record) => {
        records.push(record);
        await worker.disk;
      },
      later: (callback) => timers.push(callback),
      warn: (message) => warnings.push(message),
    },
    options.duplicates,
  );
  const sent: Buffer[] = [];
  const keep = (data: Buffer, start: number, length: number) =>
    sent.push(Buffer.from(data.subarray(start, start + length)));
  const socket: UdpSocket = { address: '127.0.0.1', port: 1812, index: 0, send: (_peer, ...reply) => keep(...reply) };

  const worker = {
    isp,
    counters,
    handler,
    records,
    warnings,
    timers,
    nowMs: 1000,
    /** What an append waits for. */
    disk: Promise.resolve() as Promise<void>,
    /** What an awaited login waits for. */
    store: Promise.resolve() as Promise<void>,
    counted: <F extends CounterFamily>(family: F, value: CounterValue<F>) => sumOf([counters.array], family, value),
    /** The replies to one datagram that come at once. */
    receive(datagram: Buffer, port: RadiusPort = 'auth', peer: Peer = nas): Buffer[] {
      const batch: UdpBatch = {
        count: 1,
        data: [datagram],
        starts: [0],
        lengths: [datagram.length],
        peers: [peer],
        reply: (_i, ...reply) => keep(...reply),
      };
      handler.handleBatch(port, batch, socket, port === 'auth' ? 0 : 1);
      return sent.splice(0);
    },
    sent,
  };
  return worker;
}

type RequestOptions = { identifier?: number; messageAuthenticator?: 'first' | 'last' | 'none'; secret?: typeof secret };

function accessRequest(
  add: (builder: PacketBuilder, authenticator: Buffer) => void,
  options: RequestOptions = {},
): Buffer {
  const builder = createPacketBuilder();
  const authenticator = randomBytes(16);
  builder.begin(code.accessRequest, options.identifier ?? 7);
  if (options.messageAuthenticator === 'first') builder.messageAuthenticator();
  add(builder, authenticator);
  if (options.messageAuthenticator === 'last') builder.messageAuthenticator();
  builder.finishAccessRequest(authenticator, options.secret ?? secret);
  return Buffer.from(builder.data.subarray(0, builder.length()));
}

function pap(
  userName: string,
  password: string,
  options: RequestOptions & { extra?: (builder: PacketBuilder) => void } = {},
) {
  return accessRequest((builder, authenticator) => {
    builder.add(attribute.userName, userName);
    builder.add(attribute.userPassword, hidePassword(Buffer.from(password), options.secret ?? secret, authenticator));
    options.extra?.(builder);
  }, options);
}

function accounting(add: (builder: PacketBuilder) => void, options: RequestOptions = {}): Buffer {
  const builder = createPacketBuilder();
  builder.begin(code.accountingRequest, options.identifier ?? 9);
  builder.add(attribute.acctStatusType, 1);
  builder.add(attribute.acctSessionId, 'session-1');
  builder.add(attribute.userName, 'alice');
  add(builder);
  builder.finishRequest(options.secret ?? secret);
  return Buffer.from(builder.data.subarray(0, builder.length()));
}

function status(messageAuthenticator: boolean): Buffer {
  const builder = createPacketBuilder();
  const authenticator = randomBytes(16);
  builder.begin(code.statusServer, 1);
  if (messageAuthenticator) builder.messageAuthenticator();
  builder.finishAccessRequest(authenticator, secret);
  return Buffer.from(builder.data.subarray(0, builder.length()));
}

/** The only reply, decoded, its authenticators verified against the request. */
function only(replies: Buffer[], request: Buffer, by = secret): Packet {
  if (replies.length !== 1) throw new Error(`${replies.length} replies`);
  const packet = decodePacket(replies[0]!);
  if (!packet.ok) throw new Error(packet.reason);
  if (!verifyResponse(packet, request, 4, by)) throw new Error('wrong response authenticator');
  if (packet.messageAuthenticatorAt >= 0 && !verifyMessageAuthenticator(packet, by, request, 4)) {
    throw new Error('wrong message authenticator');
  }
  return packet;
}

const alice = () => {
  const worker = createWorker();
  worker.isp.addSubscriber('alice', 'wonderland');
  return worker;
};

t.test('a removed access server is forgotten, a changed one keeps what it has counted', async (t) => {
  const worker = createWorker();
  worker.isp.addSubscriber('alice', 'wonderland');
  worker.isp.setNases([nasOf(), nasOf({ id: 2, address: '10.0.0.2/32' })]);
  worker.receive(pap('alice', 'wonderland'));
  worker.receive(pap('alice', 'wonderland'), 'auth', { address: '10.0.0.2', port: 1 });
  t.match(worker.handler.nasActivities(), [
    { nasId: 1, access: 1, dropped: 0 },
    { nasId: 2, access: 1, dropped: 0 },
  ]);
  worker.isp.setNases([nasOf({ name: 'renamed' })]);
  worker.nowMs += 1000;
  worker.receive(pap('alice', 'wonderland'));
  t.match(worker.handler.nasActivities(), [{ nasId: 1, access: 2 }]);
  t.equal(worker.handler.nasActivities().length, 1);
});

t.test(
  'a login by PAP is accepted with the rate, Class and interim interval, Message-Authenticator first',
  async (t) => {
    const worker = alice();
    const request = pap('alice', 'wonderland');
    const reply = only(worker.receive(request), request);
    t.equal(reply.code, code.accessAccept);
    t.equal(reply.messageAuthenticatorAt, 20, 'first, though the request had none');
    t.equal(textAt(reply, firstVendorAttribute(reply, 14988, 8)), '5M/20M');
    t.ok(firstAttribute(reply, attribute.class) > 0);
    t.ok(firstAttribute(reply, attribute.acctInterimInterval) > 0);
  },
);

t.test('a login that is awaited is answered out of a copy, whatever becomes of the memory of its packet', async (t) => {
  const worker = createWorker({ awaited: true });
  worker.isp.addSubscriber('alice', 'wonderland');
  const { promise, resolve: release } = Promise.withResolvers<void>();
  worker.store = promise;
  const extra = (builder: PacketBuilder) => builder.add(attribute.proxyState, 'one');
  const request = pap('alice', 'wonderland', { messageAuthenticator: 'last', extra });
  const sent = Buffer.from(request);
  t.equal(worker.receive(request).length, 0);
  t.equal(worker.receive(Buffer.from(sent)).length, 0);
  t.equal(worker.counted('duplicates', 'in_progress'), 1);
  request.fill(0xff);
  release();
  await worker.handler.drain();
  const reply = only(worker.sent.splice(0), sent);
  t.equal(reply.code, code.accessAccept);
  t.equal(textAt(reply, firstAttribute(reply, attribute.proxyState)), 'one');
  t.equal(only(worker.receive(Buffer.from(sent)), sent).code, code.accessAccept);
  t.equal(worker.counted('duplicates', 'resent'), 1);

  worker.store = Promise.reject(new Error('the store is away'));
  const lost = pap('alice', 'wonderland');
  t.equal(worker.receive(lost).length, 0);
  await worker.handler.drain();
  t.equal(worker.sent.length, 0);
  t.equal(worker.counted('drops', 'handler_error'), 1);
  t.strictSame(worker.warnings, ['a login could not be decided']);
  worker.store = Promise.resolve();
  t.equal(worker.receive(lost).length, 0);
  await worker.handler.drain();
  t.equal(only(worker.sent.splice(0), lost).code, code.accessAccept, 'its repetition counts as new');
});

t.test('logins that wait are bounded', async (t) => {
  const worker = createWorker({ awaited: true });
  worker.isp.addSubscriber('alice', 'wonderland');
  const { promise, resolve: release } = Promise.withResolvers<void>();
  worker.store = promise;
  for (let i = 0; i < 8200; i++) worker.receive(pap('alice', 'wonderland', { identifier: i % 256 }));
  t.equal(worker.counted('drops', 'too_many_in_progress'), 8);
  release();
  await worker.handler.drain();
  t.equal(worker.sent.length, 8192);
});

t.test('a login by CHAP is accepted, with the challenge in its attribute or in the authenticator', async (t) => {
  const worker = alice();
  const answered = (challenge: Buffer, own: boolean, password = 'wonderland') => {
    const request = accessRequest((builder, authenticator) => {
      const response = chapResponse(42, Buffer.from(password), own ? challenge : authenticator);
      builder.add(attribute.userName, 'alice');
      builder.add(attribute.chapPassword, Buffer.concat([Buffer.of(42), response]));
      if (own) builder.add(attribute.chapChallenge, challenge);
    });
    return only(worker.receive(request), request).code;
  };
  t.equal(answered(randomBytes(16), true), code.accessAccept);
  t.equal(answered(randomBytes(24), true), code.accessAccept, 'a challenge of another length');
  t.equal(answered(randomBytes(16), false), code.accessAccept);
  t.equal(answered(randomBytes(16), true, 'looking-glass'), code.accessReject);
});

t.test(
  'wrong passwords, strangers and what cannot be checked are rejected, each with its reason counted',
  async (t) => {
    const worker = alice();
    worker.isp.addSubscriber('blocked', 'wonderland', { customerStatus: 'blocked' });
    const cases = [
      ['wrong_password', pap('alice', 'looking-glass')],
      ['wrong_password', pap('alice', 'wonderland and more')],
      ['unknown_user', pap('bob', 'wonderland')],
      ['unknown_user', pap('bob', 'x'.repeat(128))],
      ['no_user_name', pap('', 'wonderland')],
      ['no_password', accessRequest((builder) => builder.add(attribute.userName, 'alice'))],
      ['customer_blocked', pap('blocked', 'wonderland')],
    ] as const;
    for (const [reason, request] of cases) {
      const before = worker.counted('rejects', reason);
      const reply = only(worker.receive(request), request);
      t.equal(reply.code, code.accessReject, reason);
      t.equal(reply.messageAuthenticatorAt, 20);
      t.equal(worker.counted('rejects', reason), before + 1);
    }
    const chapOfNobody = accessRequest((builder, authenticator) => {
      builder.add(attribute.userName, 'nobody');
      const response = chapResponse(1, Buffer.alloc(129, 0x78), authenticator);
      builder.add(attribute.chapPassword, Buffer.concat([Buffer.of(1), response]));
    });
    t.equal(
      only(worker.receive(chapOfNobody), chapOfNobody).code,
      code.accessReject,
      'what stands in for an absent password is no password',
    );
  },
);

t.test('a user name is looked for whole, then split at its last @', async (t) => {
  const worker = createWorker();
  worker.isp.addSubscriber('whole@example.net', 'first');
  worker.isp.addSubscriber('carol@home', 'second', {}, 'example.net');
  const answer = (userName: string, password: string) => {
    const request = pap(userName, password);
    return only(worker.receive(request), request).code;
  };
  t.equal(answer('whole@example.net', 'first'), code.accessAccept);
  t.equal(answer('carol@home@example.net', 'second'), code.accessAccept);
  t.equal(answer('carol@example.net', 'second'), code.accessReject);
  t.equal(answer('@example.net', 'second'), code.accessReject);
});

t.test('the table of Message-Authenticator: what is answered and what is dropped', async (t) => {
  const proxyState = (builder: PacketBuilder) => builder.add(attribute.proxyState, Buffer.from('proxy'));
  const eap = (builder: PacketBuilder) => builder.add(attribute.eapMessage, Buffer.from('02000009016d6f70', 'hex'));
  type Case = { required: boolean; sent: 'first' | 'last' | 'none' | 'wrong'; extra?: typeof eap; expected: string };
  const table: Case[] = [
    { required: false, sent: 'none', expected: 'accept' },
    { required: false, sent: 'first', expected: 'accept' },
    { required: false, sent: 'last', expected: 'accept' },
    { required: false, sent: 'wrong', expected: 'bad_message_authenticator' },
    { required: true, sent: 'none', expected: 'message_authenticator_required' },
    { required: true, sent: 'first', expected: 'accept' },
    { required: true, sent: 'wrong', expected: 'bad_message_authenticator' },
    { required: false, sent: 'none', extra: proxyState, expected: 'message_authenticator_required_by_proxy_state' },
    { required: false, sent: 'last', extra: proxyState, expected: 'accept' },
    { required: false, sent: 'none', extra: eap, expected: 'eap_with_password' },
    { required: false, sent: 'first', extra: eap, expected: 'eap_with_password' },
  ];
  for (const { required, sent, extra, expected } of table) {
    const worker = alice();
    worker.isp.setNases([nasOf({ messageAuthenticator: required ? 'yes' : 'no' })]);
    const request = pap('alice', 'wonderland', {
      messageAuthenticator: sent === 'wrong' ? 'first' : sent,
      ...(extra ? { extra } : {}),
    });
    if (sent === 'wrong') request[22] = request[22]! ^ 1;
    const replies = worker.receive(request);
    const name = `required ${required}, sent ${sent}${extra ? `, ${extra === eap ? 'EAP' : 'Proxy-State'}` : ''}`;
    if (expected === 'accept') t.equal(only(replies, request).code, code.accessAccept, name);
    else if (expected === 'reject') t.equal(only(replies, request).code, code.accessReject, name);
    else {
      t.equal(replies.length, 0, name);
      t.equal(worker.counted('drops', expected as 'unknown_client'), 1, `${name}: ${expected}`);
    }
  }
});

t.test('every Proxy-State comes back unchanged and in order, behind the Message-Authenticator', async (t) => {
  const worker = alice();
  const states = ['one', 'two', 'one'];
  const addStates = (builder: PacketBuilder) => {
    for (const state of states) builder.add(attribute.proxyState, state);
  };
  const request = pap('alice', 'wonderland', {
    messageAuthenticator: 'last',
    extra: addStates,
  });
  const reply = only(worker.receive(request), request);
  const found: string[] = [];
  eachAttribute(reply, (type, at) => {
    if (type === attribute.proxyState) found.push(octetsAt(reply, at).toString());
  });
  t.strictSame(found, states);
  t.equal(reply.messageAuthenticatorAt, 20);
  const recorded = accounting(addStates);
  worker.receive(recorded, 'acct');
  await until(() => worker.sent.length === 1, 'the Accounting-Response');
  t.equal(only(worker.sent.splice(0), recorded).end, 20 + 3 * 5);
});

t.test('a wrong shared secret is silence, and a PAP login without proof can only be rejected', async (t) => {
  const worker = alice();
  t.strictSame(
    worker.receive(
      accounting(() => {}, { secret: stranger }),
      'acct',
    ),
    [],
  );
  t.equal(worker.counted('drops', 'bad_request_authenticator'), 1);
  t.strictSame(worker.receive(pap('alice', 'wonderland', { secret: stranger, messageAuthenticator: 'first' })), []);
  t.equal(worker.counted('drops', 'bad_message_authenticator'), 1);
  const request = pap('alice', 'wonderland', { secret: stranger });
  t.equal(only(worker.receive(request), request).code, code.accessReject);
  t.equal(worker.counted('signs', 'likely_wrong_secret'), 1);
  const typo = pap('alice', 'wunderland');
  t.equal(only(worker.receive(typo), typo).code, code.accessReject);
  t.equal(worker.counted('signs', 'likely_wrong_secret'), 1, 'a mistyped password is not a wrong secret');
});

t.test('while a secret is rotated both verify, and the reply is signed with the one the NAS used', async (t) => {
  const worker = alice();
  worker.isp.setNases([nasOf({ secrets: ['testing123', 'not the secret'] })]);
  for (const used of [secret, stranger, secret, stranger]) {
    for (const messageAuthenticator of ['none', 'first'] as const) {
      const request = pap('alice', 'wonderland', { secret: used, messageAuthenticator });
      t.equal(only(worker.receive(request), request, used).code, code.accessAccept);
      const wrong = pap('alice', 'looking-glass', { secret: used, messageAuthenticator });
      t.equal(only(worker.receive(wrong), wrong, used).code, code.accessReject);
    }
  }
  const recorded = accounting(() => {}, { secret: stranger });
  worker.receive(recorded, 'acct');
  await until(() => worker.sent.length === 1, 'the Accounting-Response');
  t.equal(only(worker.sent.splice(0), recorded, stranger).code, code.accountingResponse);
});

t.test('a retransmission gets the same reply again, another authenticator is a new request', async (t) => {
  const worker = alice();
  const request = pap('alice', 'wonderland');
  const [first] = worker.receive(request);
  const [second] = worker.receive(request);
  t.strictSame(second, first, 'to the byte: the same Class too');
  t.equal(worker.counted('duplicates', 'resent'), 1);
  const [other] = worker.receive(pap('alice', 'wonderland'));
  t.notSame(other, first);
  t.notSame(worker.receive(request)[0], first, 'which replaced the former one of this identifier');
  t.strictSame(worker.receive(request, 'auth', { address: '127.0.0.1', port: 40_001 }).length, 1);
  t.equal(worker.counted('duplicates', 'resent'), 1, 'another source port is another request');
  worker.nowMs += 20_000;
  t.notSame(worker.receive(request)[0], first, 'after a while it is forgotten');
  t.equal(worker.counted('duplicates', 'resent'), 1);
});

t.test('while the first is being worked on its repetition is dropped', async (t) => {
  const worker = alice();
  let settle = () => {};
  worker.disk = new Promise((resolve) => {
    settle = resolve;
  });
  const request = accounting(() => {});
  t.strictSame(worker.receive(request, 'acct'), []);
  t.strictSame(worker.receive(request, 'acct'), []);
  t.equal(worker.counted('duplicates', 'in_progress'), 1);
  t.equal(worker.records.length, 1, 'and not recorded twice');
  settle();
  await until(() => worker.sent.length === 1, 'the Accounting-Response');
  const [reply] = worker.sent.splice(0);
  t.strictSame(worker.receive(request, 'acct'), [reply], 'then it is answered from memory');
});

t.test('a forged request touches nothing that is remembered', async (t) => {
  const worker = alice();
  const request = pap('alice', 'wonderland', { messageAuthenticator: 'first' });
  const [first] = worker.receive(request);
  const forged = Buffer.from(request);
  forged[30] = forged[30]! ^ 1;
  t.strictSame(worker.receive(forged), []);
  t.strictSame(worker.receive(request), [first]);
});

t.test('a record that did not reach the disk is not acknowledged, and its repetition is tried again', async (t) => {
  const worker = alice();
  worker.disk = Promise.reject(new Error('ENOSPC'));
  worker.disk.catch(() => {});
  const request = accounting(() => {});
  worker.receive(request, 'acct');
  await until(() => worker.counted('drops', 'accounting_not_durable') === 1, 'the refusal');
  t.strictSame(worker.sent, []);
  worker.disk = Promise.resolve();
  worker.receive(request, 'acct');
  await until(() => worker.sent.length === 1, 'the Accounting-Response');
  t.equal(worker.records.length, 2);
  t.equal(worker.warnings.length, 1);
});

t.test('a reject waits its moment while others go on; a drain lets it go at once', async (t) => {
  const worker = createWorker({ rejectDelayMs: 1000 });
  worker.isp.addSubscriber('alice', 'wonderland');
  const wrong = pap('alice', 'looking-glass', { identifier: 1 });
  t.strictSame(worker.receive(wrong), []);
  t.equal(worker.receive(pap('alice', 'wonderland', { identifier: 2 })).length, 1, 'an Accept does not wait');
  t.strictSame(worker.receive(wrong), [], 'its repetition meanwhile is dropped');
  t.equal(worker.counted('duplicates', 'in_progress'), 1);
  worker.nowMs += 999;
  for (const run of worker.timers.splice(0)) run();
  t.strictSame(worker.sent, []);
  worker.nowMs += 1;
  for (const run of worker.timers.splice(0)) run();
  t.equal(only(worker.sent.splice(0), wrong).code, code.accessReject);
  const another = pap('alice', 'looking-glass', { identifier: 3 });
  worker.receive(another);
  await worker.handler.drain();
  t.equal(only(worker.sent.splice(0), another).code, code.accessReject);
});

t.test(
  'Status-Server is answered on both ports, only with a Message-Authenticator, and only when logins would be',
  async (t) => {
    const worker = alice();
    const asked = status(true);
    const auth = only(worker.receive(asked, 'auth'), asked);
    t.equal(auth.code, code.accessAccept);
    t.equal(auth.messageAuthenticatorAt, 20);
    t.equal(only(worker.receive(asked, 'acct'), asked).code, code.accountingResponse);
    t.strictSame(worker.receive(status(false), 'auth'), []);
    t.equal(worker.counted('drops', 'message_authenticator_required_by_status_server'), 1);
    t.equal(worker.counted('requests', 'access'), 0, 'it is no login');
    worker.isp.complete = false;
    t.strictSame(worker.receive(status(true), 'auth'), []);
    t.equal(worker.receive(status(true), 'acct').length, 1);
  },
);

t.test('without a complete snapshot a login is not answered, accounting is', async (t) => {
  const worker = alice();
  worker.isp.complete = false;
  const request = pap('bob', 'unknown');
  t.strictSame(worker.receive(request), []);
  t.equal(worker.counted('drops', 'snapshot_incomplete'), 1);
  worker.receive(
    accounting(() => {}),
    'acct',
  );
  await until(() => worker.sent.length === 1, 'the Accounting-Response');
  worker.sent.splice(0);
  worker.isp.complete = true;
  t.equal(worker.receive(request).length, 1);
});

t.test('the NAS is the longest prefix, then the NAS-Identifier; a stranger is dropped and listed', async (t) => {
  const worker = alice();
  worker.isp.setNases([
    nasOf({ id: 1, address: '10.0.0.0/8', secrets: ['wide'] }),
    nasOf({ id: 2, address: '10.1.2.3/32', identifier: 'a', secrets: ['testing123'] }),
    nasOf({ id: 3, address: '10.1.2.3/32', identifier: 'b', secrets: ['not the secret'] }),
    nasOf({ id: 4, address: '2001:db8::/32', secrets: ['six'] }),
    nasOf({ id: 5, address: 'not an address' }),
  ]);
  worker.nowMs += 1000;
  const answered = (address: string, by: string, identifier?: string) => {
    const used = createSecret(Buffer.from(by));
    const request = pap('alice', 'wonderland', {
      secret: used,
      messageAuthenticator: 'first',
      extra: (builder) => identifier && builder.add(attribute.nasIdentifier, identifier),
    });
    return worker.receive(request, 'auth', { address, port: 1024 }).length === 1;
  };
  t.ok(answered('10.9.9.9', 'wide'));
  t.ok(answered('10.1.2.3', 'testing123', 'a'));
  t.ok(answered('10.1.2.3', 'not the secret', 'b'));
  t.notOk(answered('10.1.2.3', 'testing123', 'b'));
  t.notOk(answered('10.1.2.3', 'wide'), 'neither of the two');
  t.ok(answered('2001:db8:1::9', 'six'));
  t.ok(answered('::ffff:10.9.9.9', 'wide'));
  t.notOk(answered('192.0.2.1', 'wide'));
  const unknown = worker.handler.unknownClients().clients.map(({ address, packets }) => `${address} ${packets}`);
  t.strictSame(unknown.sort(), ['10.1.2.3 1', '192.0.2.1 1']);
  t.match(worker.warnings.join(), /not an address/);
  worker.isp.setNases([nasOf({ address: '192.0.2.0/24', secrets: ['wide'] })]);
  worker.nowMs += 1000;
  t.ok(answered('192.0.2.1', 'wide'), 'a new one is known within a second');
});

t.test('a flood from spoofed sources takes no memory beyond what is set aside', async (t) => {
  const worker = createWorker({ duplicates: { requests: 1024, replyBytes: 64 * 1024 } });
  worker.isp.addSubscriber('alice', 'wonderland');
  const request = pap('alice', 'wonderland');
  const flood = (packets: number) => {
    for (let i = 0; i < packets; i++) {
      worker.receive(request, 'auth', { address: `127.${i & 255}.${(i >> 8) & 255}.1`, port: 1 + (i % 65_535) });
      worker.receive(request, 'auth', { address: `198.51.${i & 255}.${(i >> 8) & 255}`, port: 1024 });
    }
  };
  flood(2000);
  t.equal(worker.handler.unknownClients().clients.length, 100);
  t.equal(worker.counted('drops', 'unknown_client'), 2000);
  t.equal(worker.counted('replies', 'access_accept'), 2000);
  const last = { address: '127.207.7.1', port: 2000 };
  t.equal(worker.receive(request, 'auth', last).length, 1);
  t.equal(worker.counted('duplicates', 'resent'), 1, 'the newest are still remembered');
  worker.receive(request, 'auth', { address: '127.0.0.1', port: 1 });
  t.equal(worker.counted('duplicates', 'resent'), 1, 'the oldest are not');
});

t.test('one packet that cannot be handled is dropped and told once; the next is answered', async (t) => {
  const worker = alice();
  const credential = worker.isp.snapshot.credential;
  worker.isp.snapshot.credential = () => {
    throw new Error('torn page');
  };
  for (let i = 0; i < 3; i++) t.strictSame(worker.receive(pap('alice', 'wonderland')), []);
  t.equal(worker.counted('drops', 'handler_error'), 3);
  t.equal(worker.warnings.length, 1);
  worker.isp.snapshot.credential = credential;
  t.equal(worker.receive(pap('alice', 'wonderland')).length, 1);
});

t.test(
  'ten thousand mutated requests: each is answered, waits for the disk, or is dropped with a reason',
  async (t) => {
    const seed = Number(process.env.FUZZ_SEED ?? 20_261_121);
    t.comment(`FUZZ_SEED=${seed}`);
    const random = mulberry32(seed);
    const worker = alice();
    const kinds: [RadiusPort, () => Buffer][] = [
      ['auth', () => pap('alice', 'wonderland')],
      ['auth', () => pap('alice', 'wonderland', { messageAuthenticator: 'first' })],
      ['auth', () => status(true)],
      ['acct', () => accounting((builder) => builder.add(attribute.acctInputOctets, 5))],
    ];
    let dropped = 0;
    const drops = () => dropReasons.reduce((sum, reason) => sum + worker.counted('drops', reason), 0);
    for (const [port, make] of kinds) {
      const original = make();
      for (let i = 0; i < runs(2500); i++) {
        const before = drops();
        const records = worker.records.length;
        const replies = worker.receive(mutate(original, random), port).length;
        const duplicates = worker.counted('duplicates', 'in_progress');
        const known = replies > 0 || worker.records.length > records || drops() > before || duplicates > 0;
        if (!known) throw new Error('neither answered nor dropped');
        dropped += drops() - before;
      }
    }
    t.equal(worker.counted('drops', 'handler_error'), 0);
    t.ok(dropped > runs(5000), `${dropped} dropped`);
    await worker.handler.drain();
  },
);

/** The same worker behind real sockets, in this thread; `target` for radclient. */
async function listening(t: { teardown(handler: () => unknown): unknown }) {
  const worker = alice();
  const fatal: Error[] = [];
  const server = createRadiusServer({
    addresses: ['127.0.0.1'],
    authPort: 0,
    acctPort: 0,
    udpDriver: 'auto',
    receiveBufferBytes: 0,
    handler: worker.handler,
    counters: worker.counters,
    warn: () => {},
    onFatal: (error) => fatal.push(error),
  });
  await server.start();
  t.teardown(() => server.stop());
  const { authPort, acctPort } = server.bound();
  return { ...worker, fatal, server, authPort, acctPort, auth: `127.0.0.1:${authPort}`, acct: `127.0.0.1:${acctPort}` };
}

t.test(
  'radclient logs in by PAP and CHAP, accounts and asks for the status',
  { skip: missing('radclient') },
  async (t) => {
    const { auth, acct, records } = await listening(t);
    const login = ['User-Name = "alice"', 'NAS-IP-Address = 127.0.0.1'];
    const byPap = await radclient(auth, 'auth', [...login, 'User-Password = "wonderland"']);
    t.equal(byPap.code, 'Access-Accept');
    t.match(byPap.attributes[0], /^Message-Authenticator = /);
    t.equal(byPap.value('Mikrotik-Rate-Limit'), '5M/20M');
    const proven = [...login, 'User-Password = "wonderland"', 'Message-Authenticator = 0x00'];
    t.equal((await radclient(auth, 'auth', proven)).code, 'Access-Accept');
    t.equal((await radclient(auth, 'auth', [...login, 'CHAP-Password = "wonderland"'])).code, 'Access-Accept');
    t.equal((await radclient(auth, 'auth', [...login, 'CHAP-Password = "nonsense"'])).code, 'Access-Reject');
    t.equal((await radclient(auth, 'auth', [...login, 'User-Password = "nonsense"'])).code, 'Access-Reject');
    t.equal((await radclient(auth, 'status', ['Message-Authenticator = 0x00'])).code, 'Access-Accept');
    t.equal((await radclient(acct, 'status', ['Message-Authenticator = 0x00'])).code, 'Accounting-Response');
    const start = ['Acct-Status-Type = Start', 'Acct-Session-Id = "81a00001"', `Class = ${byPap.value('Class')}`];
    t.equal((await radclient(acct, 'acct', [...login, ...start])).code, 'Accounting-Response');
    t.match(records, [{ kind: 'start', sessionId: '81a00001', userName: 'alice', subscriptionId: 1 }]);
    t.not(records[0]!.classUuid, '', 'and the Class of the login was recognised');
    const quick = { timeoutS: 1, retries: 1, secret: 'wrong' };
    t.equal((await radclient(acct, 'acct', [...login, ...start], quick)).code, 'none');
  },
);

t.test('datagrams of any length and content neither stop the worker nor get an answer', async (t) => {
  const { authPort, acctPort, counted, fatal } = await listening(t);
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  const replies: Buffer[] = [];
  socket.on('message', (message) => replies.push(message));
  const shapes = [
    Buffer.alloc(0),
    Buffer.alloc(19),
    Buffer.alloc(20),
    Buffer.alloc(65_507, 0xff),
    pap('alice', 'wonderland').subarray(0, 40),
    Buffer.concat([pap('alice', 'wonderland').subarray(0, 2), Buffer.from([0xff, 0xff]), randomBytes(5000)]),
    ...Array.from({ length: 500 }, () => randomBytes(Math.floor(Math.random() * 300))),
  ];
  const dropped = () => dropReasons.reduce((sum, reason) => sum + counted('drops', reason), 0);
  let sent = 0;
  for (const port of [authPort, acctPort]) {
    for (const shape of shapes) {
      socket.send(shape, port, '127.0.0.1');
      sent++;
      // No faster than it is read, so that the kernel loses none.
      if (sent % 50 === 0) await until(() => dropped() === sent, 'what was sent is dropped and counted');
    }
  }
  await until(() => dropped() === sent, 'every one is dropped with a reason');
  t.strictSame(replies, []);
  t.equal(counted('drops', 'handler_error'), 0);
  socket.send(pap('alice', 'wonderland'), authPort, '127.0.0.1');
  await until(() => replies.length === 1, 'a login is answered as ever');
  const padded = Buffer.concat([pap('alice', 'wonderland', { identifier: 8 }), randomBytes(5000)]);
  socket.send(padded, authPort, '127.0.0.1');
  await until(() => replies.length === 2, 'also one with padding beyond 4096 octets');
  t.strictSame(fatal, []);
});
