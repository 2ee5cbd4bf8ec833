// What an access server must prove with its Access-Requests: by policy, and by what it has taught (CVE-2024-3596).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { createLearned } from '#aaa-server/radius/learned.ts';
import type { NasRecord } from '#aaa-server/subscribers/records.ts';
import { completeNas } from '#aaa-server/subscribers/stored-nas.ts';
import { attribute } from '#aaa-server/wire/attributes.ts';
import { chapResponse } from '#aaa-server/wire/chap.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { openDataFolder } from '#ops/stores/data-folder.ts';
import type { LearnedOfNas } from '#ops/stores/nas-edge.ts';
import { connectRedis, type RedisClient } from '#ops/stores/redis.ts';
import { missing } from '#test/support/peers.ts';
import { redisForTest } from '#test/support/redis.ts';
import { accessRequest, createDriven, decoded, eap, pap, proxyState, windowMs } from './support/driven.ts';
import { nasOf } from './support/isp.ts';

/** A handler whose only NAS is a single device that was just added. */
function withNas(change: Partial<NasRecord> = {}, options: Parameters<typeof createDriven>[0] = {}) {
  const driven = createDriven(options);
  const set = (again: Partial<NasRecord> = {}) => {
    const auto = { messageAuthenticator: 'auto', limitProxyState: 'auto' } as const;
    driven.isp.setNases([
      nasOf({ address: '127.0.0.1/32', ...auto, learnSinceMs: driven.wallMs, ...change, ...again }),
    ]);
    driven.nowMs += 1000;
  };
  set();
  return { ...driven, driven, set };
}

const chap = () =>
  accessRequest((builder, authenticator) => {
    builder.add(attribute.userName, 'alice');
    const response = chapResponse(1, Buffer.from('wonderland'), authenticator);
    builder.add(attribute.chapPassword, Buffer.concat([Buffer.of(1), response]));
  });

t.test('policies: what is demanded and what is answered', async (t) => {
  for (const [policy, limit, request, expected] of [
    ['yes', 'no', pap(), 'message_authenticator_required'],
    ['yes', 'no', pap({ messageAuthenticator: true }), 'accessAccept'],
    ['no', 'yes', pap(), 'accessAccept'],
    ['no', 'yes', pap({ extra: proxyState }), 'message_authenticator_required_by_proxy_state'],
    ['no', 'yes', pap({ extra: proxyState, messageAuthenticator: true }), 'accessAccept'],
    ['no', 'no', pap({ extra: proxyState }), 'accessAccept'],
    ['no', 'no', eap(), 'message_authenticator_required_by_eap'],
    [
      'no',
      'no',
      pap({ extra: (builder) => builder.add(attribute.eapMessage, 'x'), messageAuthenticator: true }),
      'eap_with_password',
    ],
    ['no', 'no', pap({ extra: (builder) => builder.add(attribute.eapMessage, 'x') }), 'eap_with_password'],
  ] as const) {
    const { driven, counted, learned } = withNas({ messageAuthenticator: policy, limitProxyState: limit });
    const answer = driven.answer(request);
    t.equal(answer === 'none' ? counted('drops', expected as 'overload') && expected : answer, expected);
    t.strictSame(learned, [], 'a policy learns nothing');
  }
});

t.test('yes is learned from a Message-Authenticator that is right, and nothing brings no back', async (t) => {
  const { driven, learned, counted } = withNas();
  t.equal(driven.answer(pap({ messageAuthenticator: true })), 'accessAccept');
  t.match(learned.at(-1), {
    nasId: 1,
    messageAuthenticator: { value: 'yes', atMs: driven.wallMs },
    limitProxyState: { value: 'yes' },
  });
  t.equal(driven.answer(pap()), 'none', 'one without is dropped, though the window is open');
  t.equal(counted('drops', 'message_authenticator_required'), 1);
  const before = learned.length;
  driven.answer(pap({ messageAuthenticator: true }));
  t.equal(learned.length, before, 'what is known is not told again');
});

t.test('a wrong Message-Authenticator, and the one that EAP always has, teach nothing', async (t) => {
  const { driven, learned } = withNas();
  const forged = pap({ messageAuthenticator: true });
  forged[25] = (forged[25] ?? 0) ^ 1;
  t.equal(driven.answer(forged), 'none');
  t.equal(driven.answer(eap({ messageAuthenticator: true })), 'accessReject');
  t.strictSame(learned, []);
  t.equal(driven.answer(pap()), 'accessAccept', 'so a login without one is still heard');
});

t.test('no is learned from a login that was right within the window, by PAP or CHAP; proof overrules it', async (t) => {
  for (const [name, login] of [
    ['PAP', pap],
    ['CHAP', chap],
  ] as const) {
    const { driven, learned } = withNas();
    t.equal(driven.answer(pap({}, 'looking-glass')), 'accessReject');
    t.strictSame(learned, [], 'a wrong password teaches nothing');
    t.equal(driven.answer(login()), 'accessAccept');
    t.match(learned.at(-1), { messageAuthenticator: { value: 'no' }, limitProxyState: { value: 'yes' } }, name);
    driven.wallMs += 10 * windowMs;
    t.equal(driven.answer(login()), 'accessAccept', 'long after the window');
    t.equal(driven.answer(pap({ messageAuthenticator: true })), 'accessAccept');
    t.match(learned.at(-1), { messageAuthenticator: { value: 'yes' } });
    t.equal(driven.answer(login()), 'none', 'from then on');
  }
});

t.test('a stay instead of a reject teaches nothing: nobody has shown a password', async (t) => {
  const { driven, learned } = withNas({}, { refusedAnswer: () => [] });
  t.equal(driven.answer(pap({}, 'looking-glass')), 'accessAccept', 'let into the garden');
  t.equal(driven.answer(pap({ extra: proxyState }, 'looking-glass')), 'accessAccept');
  t.strictSame(learned, []);
});

t.test('after the window what proves nothing is dropped, and teaches nothing', async (t) => {
  const { driven, learned, counted, set } = withNas();
  driven.wallMs += windowMs;
  t.equal(driven.answer(pap()), 'none');
  t.equal(counted('drops', 'message_authenticator_required'), 1);
  t.strictSame(learned, []);
  set({ learnSinceMs: driven.wallMs });
  t.equal(driven.answer(pap()), 'accessAccept', 'the learning was begun anew');
});

t.test('Proxy-State without Message-Authenticator: no from a login that was right, yes from one without', async (t) => {
  const proxied = withNas();
  t.equal(proxied.driven.answer(pap({ extra: proxyState })), 'accessAccept');
  t.match(proxied.learned.at(-1), { messageAuthenticator: { value: 'no' }, limitProxyState: { value: 'no' } });
  proxied.driven.wallMs += 2 * windowMs;
  t.equal(proxied.driven.answer(pap({ extra: proxyState })), 'accessAccept');
  const direct = withNas();
  t.equal(direct.driven.answer(pap()), 'accessAccept');
  t.equal(direct.driven.answer(pap({ extra: proxyState })), 'none');
  t.equal(direct.counted('drops', 'message_authenticator_required_by_proxy_state'), 1);
});

t.test('a prefix never learns yes, and may learn no', async (t) => {
  const { driven, learned } = withNas({ address: '127.0.0.0/8' });
  driven.isp.setNases([
    nasOf({
      address: '127.0.0.0/8',
      messageAuthenticator: 'auto',
      limitProxyState: 'auto',
      learnSinceMs: driven.wallMs,
    }),
  ]);
  driven.nowMs += 1000;
  t.equal(driven.answer(pap({ messageAuthenticator: true })), 'accessAccept');
  t.strictSame(learned, []);
  t.equal(driven.answer(pap()), 'accessAccept');
  t.match(learned.at(-1), { messageAuthenticator: { value: 'no' }, limitProxyState: null });
  driven.answer(pap({ messageAuthenticator: true }));
  t.equal(learned.length, 1);
});

t.test('what another worker has learned counts here; what was learned before the relearning does not', async (t) => {
  const { driven, set } = withNas();
  const yes = { value: 'yes', atMs: driven.wallMs } as const;
  driven.trust.hear([{ nasId: 1, messageAuthenticator: yes, limitProxyState: null }]);
  t.equal(driven.answer(pap()), 'none');
  driven.trust.hear([
    { nasId: 1, messageAuthenticator: { value: 'no', atMs: driven.wallMs - 1 }, limitProxyState: null },
  ]);
  t.equal(driven.answer(pap()), 'none', 'no does not overrule yes');
  driven.wallMs += 1000;
  set({ learnSinceMs: driven.wallMs });
  t.equal(driven.answer(pap()), 'accessAccept');
  driven.trust.hear([{ nasId: 1, messageAuthenticator: yes, limitProxyState: null }]);
  t.equal(driven.answer(pap()), 'accessAccept', 'an old lesson heard late is none');
});

t.test('a device that drops replies with Message-Authenticator gets them without, unless it sent one', async (t) => {
  const { driven } = withNas({ messageAuthenticator: 'no', replyMessageAuthenticator: false });
  const [plain] = driven.receive(pap());
  t.equal(decoded(plain).messageAuthenticatorAt, -1);
  const [proven] = driven.receive(pap({ messageAuthenticator: true }));
  t.equal(decoded(proven).messageAuthenticatorAt, 20);
});

t.test('an access server in a snapshot of an older version is held to what it was', async (t) => {
  const { messageAuthenticator: _, limitProxyState: __, ...old } = nasOf();
  t.match(completeNas({ ...old, requireMessageAuthenticator: true }), {
    messageAuthenticator: 'yes',
    limitProxyState: 'yes',
  });
  t.match(completeNas({ ...old, requireMessageAuthenticator: false }), { messageAuthenticator: 'no' });
  t.match(completeNas(nasOf({ messageAuthenticator: 'auto' })), { messageAuthenticator: 'auto' });
});

type Node = { folder: string; redis?: RedisClient; nases?: readonly NasRecord[] };
function nodeOf({ folder, redis, nases }: Node) {
  const news: LearnedOfNas[] = [];
  const learned = createLearned({
    folder: openDataFolder(folder),
    redis: () => redis,
    nases: () => nases,
    onNews: (list) => news.push(...list),
    log: createLogger('test', 'silent'),
    everyMs: 3_600_000,
  });
  return { learned, news };
}
const lesson = (nasId: number, value: 'yes' | 'no', atMs = 5000): LearnedOfNas => ({
  nasId,
  messageAuthenticator: { value, atMs },
  limitProxyState: null,
});

t.test('what was learned outlives the process, without any store', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'learned-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const first = nodeOf({ folder });
  await first.learned.start();
  first.learned.note(lesson(1, 'yes'));
  first.learned.note(lesson(2, 'no'));
  first.learned.note(lesson(1, 'no', 9000));
  t.match(first.news, [lesson(1, 'yes'), lesson(2, 'no')], 'a weaker lesson is no news');
  await first.learned.stop();
  t.strictSame(nodeOf({ folder }).learned.all(), [lesson(1, 'yes'), lesson(2, 'no')]);
});

t.test('nodes share what they learned by Redis, and yes wins', { skip: missing('redis-server') }, async (t) => {
  const server = await redisForTest(t);
  const redis = await connectRedis({ url: server.url, name: 'test' });
  t.teardown(() => redis.disconnect());
  const nases = [nasOf(), nasOf({ id: 2, learnSinceMs: 7000 })];
  const [a, b] = ['a', 'b'].map((name) => {
    const folder = mkdtempSync(path.join(tmpdir(), `learned-${name}-`));
    t.teardown(() => rmSync(folder, { recursive: true }));
    return nodeOf({ folder, redis, nases });
  });
  if (!a || !b) throw new Error('two nodes');
  a.learned.note(lesson(1, 'no', 4000));
  b.learned.note(lesson(1, 'yes'));
  a.learned.note(lesson(2, 'yes', 6999));
  b.learned.note(lesson(2, 'no', 8000));
  await a.learned.sync();
  await b.learned.sync();
  await a.learned.sync();
  t.match(a.learned.all(), [lesson(1, 'yes'), lesson(2, 'no', 8000)], 'what was learned before the relearning is void');
  t.match(b.learned.all(), a.learned.all());
  t.match(a.news.at(-1), lesson(2, 'no', 8000));
  nases.pop();
  await a.learned.sync();
  t.equal(a.learned.all().length, 2, 'one that is switched off for a while is not forgotten');
});
