// Logins that are forwarded, with a home server that answers rightly, wrongly, late or not at all.
import { createSocket } from 'node:dgram';
import t from 'tap';
import { createTrust } from '#aaa-server/radius/trust.ts';
import { attribute, firstAttribute, octetsAt, textOf } from '#aaa-server/wire/attributes.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { verifyMessageAuthenticator } from '#aaa-server/wire/message-authenticator.ts';
import { code, type Packet } from '#aaa-server/wire/packet.ts';
import { revealPassword } from '#aaa-server/wire/user-password.ts';
import type { LearnedOfNas } from '#ops/stores/nas-edge.ts';
import { until } from '#test/support/wait.ts';
import { nasOf } from '../support/isp.ts';
import { homeSecret, homeServer, realm, type ScriptedHome, startNode, startScriptedHome } from './harness.ts';
import { type Asked, attributesOf, createNas } from './nas.ts';

t.setTimeout(120_000);

const isLogin = ({ packet }: { packet: Packet }) => packet.code === code.accessRequest;
const logins = (home: ScriptedHome) => home.received.filter(isLogin);

/** Accepts every login and answers every Status-Server. */
function accepting(home: ScriptedHome, add?: (builder: PacketBuilder) => void): ScriptedHome {
  home.answer = (packet, from) => home.send(home.reply({ packet, from }, code.accessAccept, add), from);
  return home;
}

t.test(
  'the request arrives with its password hidden anew, its order kept and our Proxy-State behind theirs',
  async (t) => {
    const home = accepting(await startScriptedHome(t));
    const node = await startNode(t, {
      homeServers: [homeServer(1, home.authPort)],
      realms: [realm(1, 'partner', [1])],
    });
    const nas = createNas(t);
    const asked = nas.login(node.authPort, 'bob@partner', (builder) => {
      builder.add(attribute.proxyState, 'first');
      builder.add(attribute.callingStationId, '00-11');
      builder.add(attribute.proxyState, 'second');
    });
    const reply = await asked.reply();
    t.equal(reply.code, code.accessAccept);
    t.strictSame(
      attributesOf(reply).slice(1),
      ['first', 'second'].map((text) => `33: ${Buffer.from(text).toString('hex')}`),
    );
    const { packet } = home.received[0]!;
    t.equal(packet.messageAuthenticatorAt, 20, 'Message-Authenticator is first');
    t.ok(verifyMessageAuthenticator(packet, homeSecret));
    const hidden = octetsAt(packet, firstAttribute(packet, attribute.userPassword));
    t.equal(revealPassword(hidden, homeSecret, packet.data, 4)?.toString(), 'wonderland');
    t.strictSame(
      attributesOf(packet).map((line) => Number.parseInt(line, 10)),
      [80, 1, 2, 4, 33, 31, 33, 33],
    );
    t.notSame(packet.data.subarray(4, 20), asked.request.subarray(4, 20), 'with an authenticator of its own');

    asked.again();
    await until(() => asked.replies.length === 2, 'the repetition is answered from memory');
    t.equal(home.received.length, 1, 'without asking again');
    t.equal(node.counted('duplicates', 'resent'), 1);
  },
);

t.test('a CHAP response to the Request Authenticator brings its challenge along', async (t) => {
  const home = accepting(await startScriptedHome(t));
  const node = await startNode(t, { homeServers: [homeServer(1, home.authPort)], realms: [realm(1, 'partner', [1])] });
  const nas = createNas(t);
  const chap = (builder: PacketBuilder) => builder.add(attribute.chapPassword, Buffer.alloc(17, 5));
  const asked = nas.login(node.authPort, 'bob@partner', chap, false);
  await asked.reply();
  const { packet } = home.received[0]!;
  t.ok(octetsAt(packet, firstAttribute(packet, attribute.chapChallenge)).equals(asked.request.subarray(4, 20)));
  nas.login(node.authPort, 'bob@partner', chap, true);
  await until(() => node.counted('drops', 'two_passwords') === 1, 'two passwords in one request are no login');
  nas.login(node.authPort, 'bob@partner', (builder) => builder.add(attribute.userPassword, Buffer.alloc(17)), false);
  await until(() => node.counted('drops', 'password_malformed') === 1, 'nor is a password of a wrong length');
  t.equal(home.received.length, 1);
});

t.test('an access server that only forwards teaches `auto` by the passwords that a home server accepts', async (t) => {
  let nowMs = 1_000_000;
  const learned: LearnedOfNas[] = [];
  const trust = createTrust({ windowMs: 60_000, nowMs: () => nowMs, onLearned: (one) => learned.push(one) });
  const home = await startScriptedHome(t);
  let answer: number = code.accessReject;
  home.answer = (packet, from) => home.send(home.reply({ packet, from }, answer), from);
  const node = await startNode(
    t,
    { homeServers: [homeServer(1, home.authPort)], realms: [realm(1, 'partner', [1])] },
    {
      trust,
      nas: {
        ...{ address: '127.0.0.1/32', learnSinceMs: nowMs },
        ...{ messageAuthenticator: 'auto', limitProxyState: 'auto' },
      },
    },
  );
  const nas = createNas(t);
  const logsIn = (password = true) => nas.login(node.authPort, 'bob@partner', undefined, password, false);
  t.equal((await logsIn().reply()).code, code.accessReject);
  answer = code.accessAccept;
  t.equal((await logsIn(false).reply()).code, code.accessAccept);
  t.strictSame(learned, [], 'a reject says nothing of it, nor an Accept without a password');
  t.equal((await logsIn().reply()).code, code.accessAccept);
  t.match(learned.at(-1), { nasId: 1, messageAuthenticator: { value: 'no' }, limitProxyState: { value: 'yes' } });
  nowMs += 3_600_000;
  t.equal((await logsIn().reply()).code, code.accessAccept, 'it is answered when the window is over');
  t.equal(node.counted('drops', 'message_authenticator_required'), 0);
});

t.test('while a secret is changed, a password that proves no secret is forwarded as it was typed', async (t) => {
  const home = accepting(await startScriptedHome(t));
  const node = await startNode(
    t,
    { homeServers: [homeServer(1, home.authPort)], realms: [realm(1, 'partner', [1])] },
    { nas: { secrets: ['the other one', 'testing123'] } },
  );
  const nas = createNas(t);
  const reply = await nas.login(node.authPort, 'bob@partner', undefined, true, false).reply();
  t.equal(reply.code, code.accessAccept, 'signed with the secret that hid the password');
  const { packet } = home.received[0]!;
  const hidden = octetsAt(packet, firstAttribute(packet, attribute.userPassword));
  t.equal(revealPassword(hidden, homeSecret, packet.data, packet.start + 4)?.toString(), 'wonderland');
  t.equal(node.handler.nasActivities()[0]!.next, 1, 'and it is known which secret is in use');
  const chap = (builder: PacketBuilder) => builder.add(attribute.chapPassword, Buffer.alloc(17, 5));
  await nas.login(node.authPort, 'bob@partner', chap, false, false).reply();
});

t.test('what the access server repeats goes to the same home server again, the same octets', async (t) => {
  const home = await startScriptedHome(t);
  const node = await startNode(t, {
    homeServers: [homeServer(1, home.authPort, { responseWindowMs: 20_000 })],
    realms: [realm(1, 'partner', [1])],
  });
  const asked = createNas(t).login(node.authPort, 'bob@partner');
  await until(() => home.received.length === 1, 'it arrives');
  asked.again();
  await until(() => home.received.length === 2, 'it arrives again');
  const [first, second] = home.received;
  t.ok(first!.packet.data.equals(second!.packet.data));
  t.equal(first!.from.port, second!.from.port);
  home.send(
    home.reply(second!, code.accessReject, (builder) => builder.add(attribute.replyMessage, 'no')),
    second!.from,
  );
  const reply = await asked.reply();
  t.equal(reply.code, code.accessReject);
  t.equal(textOf(reply, attribute.replyMessage), 'no');
  t.equal(node.counted('rejects', 'home_server_rejected'), 1);
});

t.test('in a flood the rounds of a login that a home server has begun are let in', async (t) => {
  const home = await startScriptedHome(t);
  home.answer = (packet, from) => {
    const goesOn = firstAttribute(packet, attribute.state) >= 0;
    const challenge = home.reply({ packet, from }, code.accessChallenge, (builder) =>
      builder.add(attribute.state, 'second round'),
    );
    home.send(goesOn ? home.reply({ packet, from }, code.accessAccept) : challenge, from);
  };
  let flooded = false;
  const node = await startNode(
    t,
    { homeServers: [homeServer(1, home.authPort)], realms: [realm(1, 'partner', [1])] },
    { admission: { admits: (_nowMs, standing) => !flooded || standing.goesOn() } },
  );
  const nas = createNas(t);
  t.equal((await nas.login(node.authPort, 'bob@partner').reply()).code, code.accessChallenge);
  flooded = true;
  const withState = (state: string) => (builder: PacketBuilder) => builder.add(attribute.state, state);
  t.equal((await nas.login(node.authPort, 'bob@partner', withState('second round')).reply()).code, code.accessAccept);
  nas.login(node.authPort, 'bob@partner', withState('made up'));
  nas.login(node.authPort, 'bob@partner');
  await until(() => node.counted('drops', 'overload') === 2, 'new ones are not, nor who makes up a State');
});

t.test('replies that anybody could have made are dropped and counted', async (t) => {
  const home = await startScriptedHome(t);
  const node = await startNode(t, {
    homeServers: [homeServer(1, home.authPort, { responseWindowMs: 20_000 })],
    realms: [realm(1, 'partner', [1])],
  });
  const asked = createNas(t).login(node.authPort, 'bob@partner');
  const request = await until(() => home.received[0], 'it arrives');
  const refused = (reason: string) => node.metric('lastmile_proxy_refused_total', { reason });
  const stranger = createSocket('udp4');
  t.teardown(() => stranger.close());
  const right = home.reply(request, code.accessAccept);

  stranger.send(right, request.from.port, '127.0.0.1');
  await until(() => refused('foreign_source'), 'from another port');
  home.send(home.reply(request, code.accessAccept, undefined, createSecret(Buffer.from('wrong'))), request.from);
  await until(() => refused('bad_authenticator'), 'by another secret');
  const spoiled = Buffer.from(right);
  spoiled[5]! ^= 1;
  home.send(spoiled, request.from);
  await until(async () => (await refused('bad_authenticator')) === 2, 'with another authenticator');
  home.send(home.reply(request, code.accountingResponse), request.from);
  await until(() => refused('unexpected_code'), 'of a code that answers nothing here');
  home.send(right.subarray(0, 30), request.from);
  await until(() => refused('malformed'), 'cut off');
  const other = Buffer.from(right);
  other[1]! ^= 0x80;
  home.send(other, request.from);
  await until(() => refused('unexpected'), 'to nothing that was asked');
  const builder = createPacketBuilder();
  builder.begin(code.accessAccept, request.packet.identifier);
  builder.add(attribute.messageAuthenticator, Buffer.alloc(16, 1));
  builder.finishReply(request.packet.data, request.packet.start + 4, homeSecret);
  home.send(Buffer.from(builder.data.subarray(0, builder.length())), request.from);
  await until(() => refused('bad_message_authenticator'), 'with a wrong Message-Authenticator');
  t.equal(asked.replies.length, 0);
  home.send(right, request.from);
  t.equal((await asked.reply()).code, code.accessAccept, 'and the right one is taken');
});

t.test('who signed once must sign always; who must, must from the beginning', async (t) => {
  const home = await startScriptedHome(t);
  const node = await startNode(t, {
    homeServers: [
      homeServer(1, home.authPort, { responseWindowMs: 20_000 }),
      homeServer(2, home.authPort, { responseWindowMs: 20_000, messageAuthenticator: 'yes' }),
      homeServer(3, home.authPort, { responseWindowMs: 20_000, messageAuthenticator: 'no' }),
    ],
    realms: [realm(1, 'auto', [1]), realm(2, 'yes', [2]), realm(3, 'no', [3])],
  });
  const nas = createNas(t);
  let signed = false;
  home.answer = (packet, from) =>
    home.send(home.reply({ packet, from }, code.accessAccept, undefined, homeSecret, signed), from);
  const missing = () => node.metric('lastmile_proxy_refused_total', { reason: 'message_authenticator_missing' });
  await nas.login(node.authPort, 'bob@auto').reply();
  await nas.login(node.authPort, 'bob@no').reply();
  nas.login(node.authPort, 'bob@yes');
  await until(async () => (await missing()) === 1, 'it must be signed');
  signed = true;
  await nas.login(node.authPort, 'bob@auto').reply();
  await nas.login(node.authPort, 'bob@no').reply();
  signed = false;
  nas.login(node.authPort, 'bob@auto');
  await until(async () => (await missing()) === 2, 'it was signed before');
  await nas.login(node.authPort, 'bob@no').reply();
});

t.test(
  'the next home server is asked when the first is silent; without any the login gets no answer, or a reject',
  async (t) => {
    const [silent, second] = [await startScriptedHome(t), accepting(await startScriptedHome(t))];
    const node = await startNode(t, {
      homeServers: [
        homeServer(1, silent.authPort, { attempts: 2, responseWindowMs: 200 }),
        homeServer(2, second.authPort, { responseWindowMs: 5000 }),
      ],
      realms: [
        realm(1, 'both', [1, 2]),
        realm(2, 'silence', [1]),
        realm(3, 'reject', [1], { unreachable: 'reject' }),
        realm(4, 'nobody', [], { unreachable: 'reject' }),
      ],
    });
    const nas = createNas(t);
    t.equal((await nas.login(node.authPort, 'bob@both').reply()).code, code.accessAccept);
    t.equal(logins(silent).length, 2, 'it was asked as often as it may be');
    t.equal(logins(second).length, 1);
    t.equal((await nas.login(node.authPort, 'bob@both').reply()).code, code.accessAccept);
    t.equal(logins(silent).length, 2, 'a zombie is not asked while another is alive');
    t.equal((await nas.login(node.authPort, 'bob@reject').reply()).code, code.accessReject);
    t.equal((await nas.login(node.authPort, 'bob@nobody').reply()).code, code.accessReject);
    t.equal(node.counted('rejects', 'home_server_unreachable'), 2);
    const unanswered = nas.login(node.authPort, 'bob@silence');
    await until(() => node.counted('drops', 'proxy_unreachable') === 1, 'it is given up');
    t.equal(unanswered.replies.length, 0);
    t.equal(await node.metric('lastmile_proxy_unserved_total', { realm: 'silence', answer: 'silence' }), 1);
    t.ok((await node.metric('lastmile_proxy_unanswered_total', { home_server: 'home 1' })) >= 3);
  },
);

t.test('a rejected EAP conversation ends with EAP-Failure when no home server answers', async (t) => {
  const node = await startNode(t, { realms: [realm(1, 'nobody', [], { unreachable: 'reject' })] });
  const identity = Buffer.concat([Buffer.from('022a000f01', 'hex'), Buffer.from('bob@nobody')]);
  const eap = (builder: PacketBuilder) => builder.add(attribute.eapMessage, identity);
  const reply = await createNas(t).login(node.authPort, 'bob@nobody', eap, false).reply();
  t.equal(reply.code, code.accessReject);
  t.equal(octetsAt(reply, firstAttribute(reply, attribute.eapMessage)).toString('hex'), '042a0004');
});

t.test(
  'names of 253 octets arrive whole, and what no longer fits with our Proxy-State is dropped and counted',
  async (t) => {
    const home = accepting(await startScriptedHome(t));
    const node = await startNode(t, {
      homeServers: [homeServer(1, home.authPort)],
      realms: [realm(1, 'partner', [1])],
    });
    const nas = createNas(t);
    const long = `${'ü'.repeat(122)}x@partner`;
    t.equal(Buffer.byteLength(long), 253);
    await nas.login(node.authPort, long).reply();
    t.equal(textOf(home.received[0]!.packet, attribute.userName), long);
    const filled = (octets: number) =>
      nas.login(node.authPort, 'bob@partner', (builder) => {
        // Header, Message-Authenticator, name, password and address are 20 + 18 + 13 + 18 + 6 octets.
        for (let left = octets - 75; left > 0; left -= 255)
          builder.add(attribute.class, Buffer.alloc(Math.min(left, 255) - 2));
      });
    const largest = filled(4096 - 15);
    t.equal((await largest.reply()).code, code.accessAccept);
    t.equal(home.received.at(-1)!.packet.end, 4096);
    const tooLong = filled(4096);
    t.equal(tooLong.request.length, 4096);
    await until(() => node.counted('drops', 'proxy_too_long') === 1, 'it is dropped');
    t.equal(home.received.length, 2);
  },
);

t.test('a home server that is one of our own listeners is not asked', async (t) => {
  const home = accepting(await startScriptedHome(t));
  const node = await startNode(
    t,
    { homeServers: [homeServer(1, home.authPort)], realms: [realm(1, 'partner', [1])] },
    { ownPorts: [home.authPort] },
  );
  createNas(t).login(node.authPort, 'bob@partner');
  await until(() => node.counted('drops', 'proxy_unreachable') === 1, 'it goes unanswered');
  t.match(node.warnings.join(), /one of our own listeners/);
  t.equal(home.received.length, 0);
});

t.test('two nodes that forward to each other end the loop at once', async (t) => {
  const first = await startNode(t);
  const second = await startNode(t, {
    homeServers: [homeServer(1, first.authPort, { acctPort: first.acctPort })],
    realms: [realm(1, 'partner', [1], { accounting: 'both' })],
  });
  first.configure({
    homeServers: [homeServer(2, second.authPort, { acctPort: second.acctPort })],
    realms: [realm(1, 'partner', [2], { accounting: 'both' })],
  });
  // Each knows the other as an access server with the secret between them.
  for (const node of [first, second]) {
    node.isp.setNases([nasOf({ secrets: ['testing123', 'between us and them'], limitProxyState: 'no' })]);
  }
  const nas = createNas(t);
  await until(() => {
    nas.login(first.authPort, 'bob@partner');
    return first.counted('drops', 'proxy_loop') > 0;
  }, 'it comes back and is known');
  t.equal(second.counted('drops', 'proxy_loop'), 0);
  await nas
    .account(first.acctPort, 'bob@partner', (builder) => {
      builder.add(attribute.acctStatusType, 1);
      builder.add(attribute.acctSessionId, 's');
    })
    .reply();
  await until(() => first.metric('lastmile_proxy_accounting_loops_total'), 'accounting comes back, too', 15_000);
  await until(
    () => second.metric('lastmile_proxy_accounting_forwarded_total'),
    'and is taken: nobody repeats it',
    15_000,
  );
  t.equal(first.records.length, 1, 'counted once here');
  t.equal(second.records.length, 1, 'and once there');
});

t.test('outstanding requests are bounded, and those of several sockets are told apart', async (t) => {
  const home = await startScriptedHome(t);
  const node = await startNode(t, {
    homeServers: [homeServer(1, home.authPort, { maxOutstanding: 300, responseWindowMs: 20_000 })],
    realms: [realm(1, 'partner', [1])],
  });
  const nases = [createNas(t), createNas(t)];
  const asked: Asked[] = [];
  // No more at a time than a socket's buffer holds.
  for (let n = 0; n < 310; n++) {
    asked.push(nases[n % 2]!.login(node.authPort, `user${n}@partner`));
    if (n % 50 === 49) await until(() => home.received.length === n + 1, 'they arrive', 15_000);
  }
  await until(() => node.counted('drops', 'proxy_busy') === 10, 'the others are not asked');
  t.equal(new Set(home.received.map(({ from }) => from.port)).size, 2, 'two sockets');
  for (const [n, request] of home.received.entries()) {
    if (n % 50 === 0)
      await until(() => asked.filter(({ replies }) => replies.length === 1).length === n, 'answers', 15_000);
    const add = (builder: PacketBuilder) =>
      builder.add(attribute.replyMessage, textOf(request.packet, attribute.userName)!);
    home.send(home.reply(request, code.accessAccept, add), request.from);
  }
  await until(() => asked.filter(({ replies }) => replies.length === 1).length === 300, 'each has its answer', 15_000);
  asked.forEach(({ replies: [reply] }, n) => {
    if (reply && textOf(reply, attribute.replyMessage) !== `user${n}@partner`) t.fail(`user${n} has another's answer`);
  });
});

t.test('Status-Server is answered here and never forwarded; names without a forwarded realm log in here', async (t) => {
  const home = accepting(await startScriptedHome(t));
  const node = await startNode(t, {
    homeServers: [homeServer(1, home.authPort)],
    realms: [realm(1, 'default', [1]), realm(2, 'here', [], { authentication: 'local', accounting: 'local' })],
  });
  node.isp.addSubscriber('carol@here', 'wonderland');
  const nas = createNas(t);
  t.equal((await nas.login(node.authPort, 'alice').reply()).code, code.accessAccept);
  t.equal((await nas.login(node.authPort, 'carol@here').reply()).code, code.accessAccept);
  t.equal(home.received.length, 0);
  t.equal((await nas.login(node.authPort, 'bob@anywhere').reply()).code, code.accessAccept);
  t.equal(home.received.length, 1);
  node.configure({});
  await until(async () => {
    const reply = await nas.login(node.authPort, 'bob@anywhere').reply();
    return reply.code === code.accessReject;
  }, 'nothing is forwarded any more');
});

t.test('staff who log in to the device itself, and logins at a drained access server, are not forwarded', async (t) => {
  const home = accepting(await startScriptedHome(t));
  const node = await startNode(t, { homeServers: [homeServer(1, home.authPort)], realms: [realm(1, 'default', [1])] });
  const nas = createNas(t);
  const asking = (service: number) => (builder: PacketBuilder) => builder.add(attribute.serviceType, service);
  t.equal((await nas.login(node.authPort, 'eve@partner', asking(6)).reply()).code, code.accessReject);
  t.equal(node.counted('rejects', 'device_login_refused'), 1, 'no partner lets anybody into our devices');
  t.equal(home.received.length, 0);
  t.equal((await nas.login(node.authPort, 'bob@partner', asking(2)).reply()).code, code.accessAccept);
  node.isp.setNases([nasOf({ limitProxyState: 'no', drain: { answer: 'reject', move: null } })]);
  await until(async () => {
    const { code: answer } = await nas.login(node.authPort, 'bob@partner', asking(2)).reply();
    return answer === code.accessReject;
  }, 'it is drained');
  t.ok(node.counted('rejects', 'nas_draining') > 0);
});

t.test('logins under way are given up when the node stops', async (t) => {
  const home = await startScriptedHome(t);
  const node = await startNode(t, {
    homeServers: [homeServer(1, home.authPort, { responseWindowMs: 30_000 })],
    realms: [realm(1, 'partner', [1])],
  });
  createNas(t).login(node.authPort, 'bob@partner');
  await until(() => home.received.length === 1, 'it is under way');
  t.equal(node.handler.deciding(), 1);
  await node.stop();
  t.equal(node.handler.deciding(), 0);
  t.equal(node.counted('drops', 'proxy_unreachable'), 1);
});
