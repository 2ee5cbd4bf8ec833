// How a subscriber may be proven besides EAP: stored hashes by PAP, MS-CHAP with its keys, MAC addresses and lines.
import { createCipheriv, hash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { createSlowHashes, type SlowResult } from '#aaa-server/auth/slow-hashes.ts';
import { attribute, firstVendorAttribute, octetsAt, textAt } from '#aaa-server/wire/attributes.ts';
import { chapResponse } from '#aaa-server/wire/chap.ts';
import { des } from '#aaa-server/wire/des.ts';
import type { PacketBuilder } from '#aaa-server/wire/encode.ts';
import { md4 } from '#aaa-server/wire/md4.ts';
import { authenticatorResponse, challengeHash, challengeResponse, mppeKeys, ntHash } from '#aaa-server/wire/mschap.ts';
import { code } from '#aaa-server/wire/packet.ts';
import { hideSalted } from '#aaa-server/wire/salted.ts';
import { hidePassword, revealPassword } from '#aaa-server/wire/user-password.ts';
import { type Crypt, openCrypt } from '#ops/runtime/crypt.ts';
import { type PasswordScheme, passwordSchemes } from '#policy/credentials/password-scheme.ts';
import { storedValueProblem } from '#policy/credentials/stored-value.ts';
import { lineId, macDigits } from '#policy/credentials/vouched.ts';
import { runs } from '#test/support/effort.ts';
import { missing } from '#test/support/peers.ts';
import { radclient } from '#test/support/radclient.ts';
import { until } from '#test/support/wait.ts';
import { createLogins, type LoginsOptions, type Reply, secret } from './support/logins.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');
const microsoft = 311;

/** A salted key of a reply, revealed (RFC 2548 §2.4.2): hiding is its own inverse once salt and blocks are known. */
function revealSalted(hidden: Buffer, authenticator: Buffer): Buffer {
  const salt = hidden.subarray(0, 2);
  const octets = hidden.subarray(2);
  const plain = Buffer.alloc(octets.length);
  for (let at = 0; at < octets.length; at += 16) {
    const chained = at === 0 ? Buffer.concat([authenticator, salt]) : octets.subarray(at - 16, at);
    const pad = hash('md5', Buffer.concat([secret.octets, chained]), 'buffer');
    for (let i = 0; i < 16; i++) plain[at + i] = octets[at + i]! ^ pad[i]!;
  }
  return plain.subarray(1, 1 + plain[0]!);
}

function pap(userName: string, password: string, extra?: (builder: PacketBuilder) => void) {
  return (builder: PacketBuilder, authenticator: Buffer) => {
    builder.add(attribute.userName, userName);
    builder.add(attribute.userPassword, hidePassword(Buffer.from(password), secret, authenticator));
    extra?.(builder);
  };
}

function loginsWith(scheme: PasswordScheme, stored: string, options?: LoginsOptions) {
  const logins = createLogins(options);
  logins.isp.addSubscriber('alice', stored, {}, '', scheme);
  return logins;
}

const accepted = (reply: Reply | undefined) => reply?.packet.code === code.accessAccept;
const rejected = (reply: Reply | undefined) => reply?.packet.code === code.accessReject;

t.test('MD4 has the digests of RFC 1320', async (t) => {
  const vectors = {
    '': '31d6cfe0d16ae931b73c59d7e0c089c0',
    a: 'bde52cb31de33e46245e05fbdbd6fb24',
    abc: 'a448017aaf21d8525fc10ae87aa6729d',
    'message digest': 'd9130a8164549fe818874806e1c7014b',
    abcdefghijklmnopqrstuvwxyz: 'd79e1c308aa5bbcdeea8ed63df412da9',
    ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789: '043f8582f241db351ce627e153e7f0e4',
    '12345678901234567890123456789012345678901234567890123456789012345678901234567890':
      'e33b4ddc9c38f2199c3e7b164fcc0536',
  };
  for (const [text, digest] of Object.entries(vectors)) t.equal(md4(Buffer.from(text)).toString('hex'), digest, text);
});

t.test('DES is what OpenSSL makes of it', async () => {
  const block = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((octets) => Buffer.from(octets));
  const key = fc.uint8Array({ minLength: 7, maxLength: 7 }).map((octets) => Buffer.from(octets));
  fc.assert(
    fc.property(key, block, (key, block) => {
      // Each seven bits of the key have one of parity behind them; three times the same key in EDE is single DES.
      const bits = [...key].map((octet) => octet.toString(2).padStart(8, '0')).join('');
      const eight = Buffer.from((bits.match(/.{7}/g) ?? []).map((seven) => Number.parseInt(`${seven}0`, 2)));
      const cipher = createCipheriv('des-ede3-ecb', Buffer.concat([eight, eight, eight]), null).setAutoPadding(false);
      return Buffer.concat([cipher.update(block), cipher.final()]).equals(des(key, block));
    }),
    { numRuns: runs(500) },
  );
});

const authenticatorChallenge = hex('5b5d7c7d7b3f2f3e3c2c602132262628');
const peerChallenge = hex('21402324255e262a28295f2b3a337c7e');
const ntResponse = hex('82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df');
const passwordHash = hex('44ebba8d5312b8d611474411f56989ae');

t.test('MS-CHAP-2 and its keys are those of RFC 2759 §9.2 and RFC 3079 §3.5', async (t) => {
  t.same(ntHash(Buffer.from('clientPass')), passwordHash);
  t.equal(md4(passwordHash).toString('hex'), '41c00c584bd2d91c4017a2a12fa59f3f');
  const challenge = challengeHash(peerChallenge, authenticatorChallenge, Buffer.from('User'));
  t.equal(challenge.toString('hex'), 'd02e4386bce91226');
  t.same(challengeResponse(challenge, passwordHash), ntResponse);
  t.equal(authenticatorResponse(passwordHash, ntResponse, challenge), 'S=407A5589115FD0D6209F510FE9C04566932CDA56');
  const keys = mppeKeys(passwordHash, ntResponse);
  t.equal(keys.send.toString('hex'), '8b7cdc149b993a1ba118cb153f56dccb');
  t.equal(keys.receive.toString('hex'), 'd5f0e9521e3ea9589645e86051c82226');
});

t.test('a salted key has its top bit set and comes back under secret and authenticator', async (t) => {
  for (const length of [1, 15, 16, 32, 48]) {
    const key = randomBytes(length);
    const authenticator = randomBytes(16);
    const hidden = hideSalted(key, secret, authenticator, 0, 0x1234);
    t.equal(hidden.readUInt16BE(0), 0x9234);
    t.same(revealSalted(hidden, authenticator), key, `${length} octets`);
  }
});

/** The hash of `wonderland` in each scheme that PAP compares at once. */
function digestsOf(password: string): [PasswordScheme, string][] {
  const salt = Buffer.from('salz');
  const digest = (algorithm: string, tail = Buffer.alloc(0)) =>
    Buffer.concat([hash(algorithm, Buffer.concat([Buffer.from(password), tail]), 'buffer'), tail]);
  const of = { md5: 'md5', sha: 'sha1', sha256: 'sha256', sha384: 'sha384', sha512: 'sha512' } as const;
  return Object.entries(of).flatMap(([scheme, algorithm]): [PasswordScheme, string][] => [
    [scheme as PasswordScheme, digest(algorithm).toString('hex')],
    [scheme as PasswordScheme, digest(algorithm).toString('base64')],
    [`s${scheme}` as PasswordScheme, digest(algorithm, salt).toString('base64')],
    [`s${scheme}` as PasswordScheme, digest(algorithm, salt).toString('hex').toUpperCase()],
  ]);
}

t.test('PAP compares with whatever digest FreeRADIUS would have stored, in hexadecimal or Base64', async (t) => {
  const cases: [PasswordScheme, string][] = [
    ['clear', 'wonderland'],
    ['nt', ntHash(Buffer.from('wonderland')).toString('hex')],
    // What `slappasswd` and the documentation of FreeRADIUS make of `password`, checked apart below.
    ...digestsOf('wonderland'),
  ];
  for (const [scheme, stored] of cases) {
    t.equal(storedValueProblem(scheme, stored), null, `${scheme} may be saved`);
    const logins = loginsWith(scheme, stored);
    t.ok(accepted(await logins.ask(pap('alice', 'wonderland'))), `${scheme} ${stored}`);
    t.ok(rejected(await logins.ask(pap('alice', 'Wonderland'))), scheme);
    if (scheme !== 'clear')
      t.ok(rejected(await logins.ask(pap('alice', stored.slice(0, 128)))), 'its hash is no password');
    t.equal(logins.counted('rejects', 'wrong_password'), scheme === 'clear' ? 1 : 2);
  }
  const broken = loginsWith('sha', 'abc');
  t.equal(await broken.ask(pap('alice', 'wonderland')), undefined, 'our fault: another server is asked');
  t.equal(broken.counted('drops', 'stored_password_unreadable'), 1);
});

t.test('a scheme that cannot answer a challenge is a reject with a reason of its own', async (t) => {
  const logins = loginsWith('ssha', digestsOf('wonderland').find(([scheme]) => scheme === 'ssha')![1]);
  const byChap = await logins.ask((builder, authenticator) => {
    builder.add(attribute.userName, 'alice');
    const response = chapResponse(1, Buffer.from('wonderland'), authenticator);
    builder.add(attribute.chapPassword, Buffer.concat([Buffer.of(1), response]));
  });
  t.ok(rejected(byChap));
  t.equal(logins.counted('rejects', 'unsuitable_scheme'), 1);
  t.ok(rejected(await logins.ask(msChap2('alice', 'wonderland'))));
  t.equal(logins.counted('rejects', 'unsuitable_scheme'), 2);
});

const crypt = await openCrypt();
const noCrypt = typeof crypt === 'string' && crypt;

t.test('crypt(3) and Argon2 are asked off the event loop', { skip: noCrypt }, async (t) => {
  const cases: [PasswordScheme, string, string][] = [
    ['crypt', 'password', 'abJnggxhB/yWI'],
    // By openssl passwd, which has an implementation of its own.
    ['crypt', 'password', '$1$saltstri$qQY4WxjABChYG1ccLpfkz/'],
    ['crypt', 'Hello world!', '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'],
    [
      'crypt',
      'Hello world!',
      '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
    ],
    ['crypt', 'password', '$y$j9T$F5Jx5fExrKuPp53xLKQ..1$tnSYvahCwPBHKZUspmcxMfb0.WiB9W.zEaKlOBL35rC'],
    ['crypt', 'U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
    ['argon2', 'password', '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'],
    ['argon2', 'password', '$argon2d$v=19$m=4096,t=1,p=1$c29tZXNhbHQ$7ihYKDQmx1c4J4Y2qvRnMEArWN1gWQxGzVROHZ+9G/Q'],
    ['argon2', 'password', '$argon2i$v=19$m=4096,t=2,p=4$c29tZXNhbHQ$ZPidoNOWM3jRl0AD+3mGdZsq+GvHprGL'],
  ];
  for (const [scheme, password, stored] of cases) {
    t.equal(storedValueProblem(scheme, stored), null, `${stored} may be saved`);
    const logins = loginsWith(scheme, stored, { crypt });
    t.ok(accepted(await logins.ask(pap('alice', password))), stored);
    t.ok(rejected(await logins.ask(pap('alice', `${password}x`.slice(password === 'password' ? 1 : 0)))), stored);
    t.ok(rejected(await logins.ask(pap('nobody', password))), 'nobody is compared with the same cost');
    t.equal(logins.counted('rejects', 'unknown_user'), 1);
    t.ok(rejected(await logins.ask(pap('alice', `${password}\0x`))), 'a NUL does not end a password');
  }
});

t.test('the event loop goes on while a hash is computed', { skip: noCrypt }, async (t) => {
  const logins = loginsWith('crypt', '$2b$09$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', { crypt });
  let turns = 0;
  let over = false;
  const count = () => {
    turns++;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  t.ok(rejected(await logins.ask(pap('alice', 'wonderland'))));
  over = true;
  t.ok(turns > 50, `${turns} turns`);
});

t.test(
  'a slow hash is computed once for a password that is right, and again when what is stored changes',
  async (t) => {
    let computed = 0;
    const counting: Crypt = {
      hash: async (password, setting) => {
        computed++;
        return password.toString() === 'wonderland' ? setting.toString() : '$6$other';
      },
    };
    const logins = loginsWith('crypt', '$6$one', { crypt: counting });
    for (let i = 0; i < 3; i++) t.ok(accepted(await logins.ask(pap('alice', 'wonderland'))));
    t.equal(computed, 1);
    for (let i = 0; i < 3; i++) t.ok(rejected(await logins.ask(pap('alice', 'looking-glass'))));
    t.equal(computed, 4, 'a wrong one is remembered by nobody');
    logins.isp.addSubscriber('alice', '$6$two', {}, '', 'crypt');
    t.ok(accepted(await logins.ask(pap('alice', 'wonderland'))));
    t.equal(computed, 5);
  },
);

t.test('without libcrypt those logins go unanswered, so that the access server asks elsewhere', async (t) => {
  const logins = loginsWith('crypt', 'abJnggxhB/yWI', { crypt: 'koffi is not installed' });
  t.equal(await logins.ask(pap('alice', 'password')), undefined);
  t.equal(logins.counted('drops', 'password_scheme_unavailable'), 1);
  t.strictSame(logins.warnings, ['passwords of scheme crypt cannot be checked here']);
});

t.test(
  'slow hashes wait in a bounded queue, and one whose access server has given up keeps its place for the next login',
  async (t) => {
    let nowMs = 0;
    const releases: (() => void)[] = [];
    const slow: Crypt = {
      hash: (_password, setting) => new Promise((resolve) => releases.push(() => resolve(setting.toString()))),
    };
    const hashes = createSlowHashes({
      clock: { monotonicMs: () => nowMs },
      crypt: slow,
      warn: (message) => t.fail(message),
      capacity: 2,
      patienceMs: 3000,
    });
    const results: SlowResult[] = [];
    const proven: string[] = [];
    const ask = (offered: string, known = true) =>
      hashes
        .check({ tenantId: 1, userName: 'alice', known }, 'crypt', Buffer.from('$6$stored'), Buffer.from(offered), () =>
          proven.push(offered),
        )
        .then((result) => results.push(result));
    const asked = ['a', 'b', 'c', 'd'].map((offered) => ask(offered));
    await asked[3];
    t.strictSame(results, ['busy'], 'one is computed, two wait, the fourth is refused');
    asked.push(ask('of nobody', false));
    releases.shift()!();
    await asked[0];
    nowMs = 4000;
    releases.shift()!();
    await Promise.all(asked);
    t.strictSame(results, ['busy', 'right', 'right', 'busy', 'busy'], 'the third and nobody waited for too long');
    t.equal(hashes.waiting(), 0, 'the third is computed, nobody is dropped');
    t.strictSame(proven, ['a', 'b']);
    const again = ask('c');
    releases.shift()!();
    await again;
    t.strictSame(results.slice(5), ['right'], 'who asks again waits for the same');
    t.strictSame(proven, ['a', 'b', 'c']);

    const given = [ask('e'), ask('f'), ask('g')];
    nowMs += 3001;
    releases.shift()!();
    await Promise.all(given);
    t.strictSame(results.slice(6), ['right', 'busy', 'busy']);
    const last = [ask('g'), ask('h')];
    nowMs += 89_000;
    releases.shift()!();
    await Promise.all(last);
    t.strictSame(results.slice(9), ['busy', 'busy']);
    nowMs += 2000;
    releases.shift()!();
    await until(() => hashes.waiting() === 0, 'the last one is dropped');
    t.strictSame(proven, ['a', 'b', 'c', 'e', 'f', 'g'], 'in the order in which they were asked for first');
    t.equal(releases.length, 0, 'for so long nobody asked for it');
  },
);

t.test('a password that is asked again while its hash waits is computed once, and waits anew', async (t) => {
  let nowMs = 0;
  const releases: (() => void)[] = [];
  const slow: Crypt = {
    hash: (_password, setting) => new Promise((resolve) => releases.push(() => resolve(setting.toString()))),
  };
  const hashes = createSlowHashes({
    ...{ clock: { monotonicMs: () => nowMs }, crypt: slow, capacity: 1, patienceMs: 3000 },
    warn: (message) => t.fail(message),
  });
  const ask = (offered: string, tenantId = 1) =>
    hashes.check({ tenantId, userName: 'alice', known: true }, 'crypt', Buffer.from('$6$stored'), Buffer.from(offered));
  const first = ask('first');
  const second = ask('second');
  nowMs = 2900;
  const again = ask('second');
  t.equal(hashes.waiting(), 1, 'the queue is full, and this is no more in it');
  const others = ask('second', 2);
  nowMs = 3500;
  releases.shift()!();
  t.equal(await first, 'right');
  await until(() => releases.length === 1, 'the second is computed');
  releases.shift()!();
  t.strictSame(await Promise.all([second, again]), ['right', 'right'], 'asked for just now');
  await until(() => releases.length === 1, 'what another tenant asks is its own');
  releases.shift()!();
  t.equal(await others, 'right');
  const later = ask('second');
  await until(() => releases.length === 1, 'what was answered is computed anew: to remember it is not its task');
  releases.shift()!();
  t.equal(await later, 'right');
});

t.test(
  'two names of nobody do not share a hash: together they would be refused sooner than with a name that is known',
  async (t) => {
    const computed: string[] = [];
    let release = () => {};
    const crypt: Crypt = {
      hash: async (password) => {
        computed.push(password.toString());
        if (computed.length > 1) await new Promise<void>((resolve) => (release = resolve));
        return '$6$other';
      },
    };
    const logins = loginsWith('crypt', '$6$stored', { crypt });
    // Nobody's password takes as long as the one that was computed last.
    t.ok(rejected(await logins.ask(pap('alice', 'wrong'))));
    for (const [n, name] of ['nobody', 'no one', 'nobody'].entries()) {
      logins.receive(logins.request(pap(name, 'guess')), 50_000 + n);
    }
    await until(() => computed.length === 2, 'the first is computed');
    t.equal(logins.handler.deciding(), 3);
    release();
    await until(() => computed.length === 3, 'so is the second');
    t.equal(logins.counted('rejects', 'unknown_user'), 2, 'who asks for the same name again waits for the same');
    release();
    await until(() => logins.counted('rejects', 'unknown_user') === 3, 'all are refused');
    t.strictSame(computed, ['wrong', 'guess', 'guess']);
  },
);

t.test('in a flood the next hash waits for a quarter of a second, unless the flood is over before', async (t) => {
  let flooded = true;
  const timers: (() => void)[] = [];
  let computed = 0;
  const hashes = createSlowHashes({
    ...{ clock: { monotonicMs: () => 0 }, warn: (message) => t.fail(message), isFlooded: () => flooded },
    crypt: { hash: async (_password, setting) => `${++computed && setting.toString()}` },
    later: (callback, ms) => {
      t.equal(ms, 50);
      timers.push(callback);
    },
  });
  const asked = ['a', 'b', 'c'].map((offered) =>
    hashes.check(
      { tenantId: 1, userName: 'alice', known: true },
      'crypt',
      Buffer.from('$6$stored'),
      Buffer.from(offered),
    ),
  );
  t.equal(await asked[0], 'right', 'the first is not put off');
  for (let round = 0; round < 5; round++) {
    await until(() => timers.length === 1, `round ${round}`);
    t.equal(computed, 1);
    timers.shift()!();
  }
  t.equal(await asked[1], 'right');
  await until(() => timers.length === 1, 'the third is put off');
  flooded = false;
  timers.shift()!();
  t.equal(await asked[2], 'right');
});

t.test('tenants take turns in the queue of slow hashes, and names of nobody come last', async (t) => {
  const order: string[] = [];
  let release: () => void = () => t.fail('nothing is computed');
  const slow: Crypt = {
    hash: (password, setting) => {
      order.push(password.toString());
      return order.length > 1
        ? Promise.resolve(setting.toString())
        : new Promise((resolve) => {
            release = () => resolve(setting.toString());
          });
    },
  };
  const clock = { monotonicMs: () => 0 };
  const hashes = createSlowHashes({ clock, crypt: slow, warn: (message) => t.fail(message), capacity: 3 });
  const ask = (tenantId: number, name: string, known = true) =>
    hashes.check({ tenantId, userName: name, known }, 'crypt', Buffer.from('$6$stored'), Buffer.from(name));
  const asked = [ask(1, 'first')];
  for (const name of ['nobody 1', 'nobody 2', 'nobody 3']) asked.push(ask(1, name, false));
  for (const name of ['a1', 'a2', 'a3', 'a4']) asked.push(ask(1, name));
  for (const name of ['b1', 'b2']) asked.push(ask(2, name));
  asked.push(ask(3, 'nobody of c', false));
  t.equal(hashes.waiting(), 9, 'the fourth of a tenant is refused, however few others wait');
  release();
  const results = await Promise.all(asked);
  t.equal(results.filter((result) => result === 'busy').length, 1);
  const expected = ['first', 'a1', 'b1', 'a2', 'b2', 'a3', 'nobody 1', 'nobody of c', 'nobody 2', 'nobody 3'];
  t.strictSame(order, expected);
});

const argonTail = 'c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
const tooCostly: [PasswordScheme, string][] = [
  ['crypt', '$2b$13$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ['crypt', '$6$rounds=99999999$salt$x'],
  ['crypt', '$6$rounds=999999999999$salt$x'],
  ['crypt', '$5$rounds=+9999999$salt$x'],
  ['crypt', '_zzzzsaltabcdefghijk'],
  ['crypt', '$sha1$4294967295$salt$x'],
  ['crypt', '$md5,rounds=4294967295$salt$$x'],
  ['crypt', '$7$zzzzzzzzzzz$x'],
  ['crypt', '$gy$jFT$salt$x'],
  ['crypt', '$y$jCT$salt$x'],
  ['crypt', '$y$jBU$salt$x'],
  ['crypt', '$y$j9z/$salt$x'],
  ['crypt', '$y$jBT/9$salt$x'],
  ['crypt', '$y$/BT$salt$x'],
  ['argon2', `$argon2id$v=19$m=65537,t=1,p=1$${argonTail}`],
  ['argon2', `$argon2id$v=19$m=65536,t=5,p=1$${argonTail}`],
  ['argon2', `$argon2id$v=19$m=4096,t=999,p=1$${argonTail}`],
];

t.test('what is saved as a stored password is looked at first', async (t) => {
  const wrong: [PasswordScheme, string][] = [
    ['md5', 'abc'],
    ['sha', 'W6ph5Mm5Pz8GgiULbPgzG37mj9g'.slice(2)],
    ['ssha', 'W6ph5Mm5Pz8GgiULbPgzG37mj9g='],
    ['nt', '44ebba8d5312b8d611474411f56989'],
    ['crypt', 'clear text'],
    ['none', 'x'],
    ...tooCostly,
  ];
  for (const [scheme, value] of wrong) t.ok(storedValueProblem(scheme, value), `${scheme} ${value}`);
  const dear = ['_LdD0saltabcdefghijk', '$2y$12$x', '$5$rounds=700000$salt$x', '$y$jBT$x$y', '$y$j75$x$y'];
  for (const value of dear) t.equal(storedValueProblem('crypt', value), null, `${value} may be saved`);
  t.equal(new Set(passwordSchemes).size, passwordSchemes.length);
});

t.test('a hash that asks for more than a login may cost is not computed, whoever stored it', async (t) => {
  const crypt: Crypt = {
    async hash(_password, setting) {
      t.fail(`${setting} is computed`);
      return null;
    },
  };
  for (const [scheme, value] of tooCostly) {
    const logins = loginsWith(scheme, value, { crypt });
    t.equal(await logins.ask(pap('alice', 'password')), undefined, value);
    t.equal(logins.counted('drops', 'password_scheme_unavailable'), 1);
    t.ok(rejected(await logins.ask(pap('nobody', 'password'))), 'and nobody is compared with it');
  }
});

function msChap2(userName: string, password: string, identifier = 5) {
  return (builder: PacketBuilder) => {
    const challenge = challengeHash(peerChallenge, authenticatorChallenge, Buffer.from(userName));
    const answer = challengeResponse(challenge, ntHash(Buffer.from(password)));
    builder.add(attribute.userName, userName);
    builder.addVendor(microsoft, 11, authenticatorChallenge);
    builder.addVendor(microsoft, 25, Buffer.concat([Buffer.of(identifier, 0), peerChallenge, Buffer.alloc(8), answer]));
  };
}

t.test('a login by MS-CHAP-2 is proven both ways and gets the keys of MPPE', async (t) => {
  for (const [scheme, stored] of [
    ['clear', 'clientPass'],
    ['nt', passwordHash.toString('hex')],
  ] as const) {
    const logins = createLogins();
    logins.isp.addSubscriber('User', stored, {}, '', scheme);
    const reply = (await logins.ask(msChap2('User', 'clientPass')))!;
    t.ok(accepted(reply), scheme);
    const of = (type: number) => octetsAt(reply.packet, firstVendorAttribute(reply.packet, microsoft, type));
    t.equal(of(26).toString('latin1'), '\u0005S=407A5589115FD0D6209F510FE9C04566932CDA56');
    t.equal(revealSalted(of(16), reply.authenticator).toString('hex'), '8b7cdc149b993a1ba118cb153f56dccb');
    t.equal(revealSalted(of(17), reply.authenticator).toString('hex'), 'd5f0e9521e3ea9589645e86051c82226');
    t.not(of(16).readUInt16BE(0), of(17).readUInt16BE(0), 'each key has a salt of its own');
    t.same([...of(7)], [0, 0, 0, 1]);
    t.same([...of(8)], [0, 0, 0, 6]);

    const wrong = (await logins.ask(msChap2('User', 'wrong')))!;
    t.ok(rejected(wrong));
    const error = textAt(wrong.packet, firstVendorAttribute(wrong.packet, microsoft, 2), 'latin1');
    t.match(error.slice(1), /^E=691 R=0 C=[0-9A-F]{32} V=3$/);
    t.equal(logins.counted('rejects', 'wrong_password'), 1);
    t.ok(rejected(await logins.ask(msChap2('nobody', 'clientPass'))));
    t.equal(logins.counted('rejects', 'unknown_user'), 1);
    logins.isp.changeSubscription(1, { customerStatus: 'blocked' });
    const refused = (await logins.ask(msChap2('User', 'clientPass')))!;
    t.match(
      textAt(refused.packet, firstVendorAttribute(refused.packet, microsoft, 2), 'latin1'),
      /E=649 R=0/,
      'policy refuses a proven login',
    );
    t.equal(firstVendorAttribute(refused.packet, microsoft, 16), -1, 'and gives no keys');
  }
});

t.test('the domain before a name is no part of what MS-CHAP-2 hashes', async (t) => {
  const logins = createLogins();
  logins.isp.addSubscriber('User', 'clientPass');
  const request = (builder: PacketBuilder) => {
    builder.add(attribute.userName, 'OFFICE\\User');
    builder.addVendor(microsoft, 11, authenticatorChallenge);
    builder.addVendor(microsoft, 25, Buffer.concat([Buffer.of(1, 0), peerChallenge, Buffer.alloc(8), ntResponse]));
  };
  t.ok(accepted(await logins.ask(request)));
});

t.test('a login by MS-CHAP gets the keys of its own', async (t) => {
  const logins = createLogins();
  logins.isp.addSubscriber('User', 'clientPass');
  const challenge = randomBytes(8);
  const ask = (password: string, flags = 1) =>
    logins.ask((builder) => {
      const answer = challengeResponse(challenge, ntHash(Buffer.from(password)));
      builder.add(attribute.userName, 'User');
      builder.addVendor(microsoft, 11, challenge);
      builder.addVendor(microsoft, 1, Buffer.concat([Buffer.of(9, flags), Buffer.alloc(24), answer]));
    });
  const reply = (await ask('clientPass'))!;
  t.ok(accepted(reply));
  const keys = octetsAt(reply.packet, firstVendorAttribute(reply.packet, microsoft, 12));
  const plain = revealPassword(keys, secret, reply.authenticator)!;
  t.equal(plain.subarray(8, 24).toString('hex'), '41c00c584bd2d91c4017a2a12fa59f3f');
  t.ok(rejected(await ask('clientPass', 0)), 'an answer of LAN Manager alone is none');
  const wrong = (await ask('wrong'))!;
  t.equal(textAt(wrong.packet, firstVendorAttribute(wrong.packet, microsoft, 2), 'latin1'), '\tE=691 R=0');
});

t.test('MS-CHAP of a wrong size is dropped, without an answer a reject', async (t) => {
  const logins = createLogins();
  logins.isp.addSubscriber('User', 'clientPass');
  const short = await logins.ask((builder) => {
    builder.add(attribute.userName, 'User');
    builder.addVendor(microsoft, 11, authenticatorChallenge);
    builder.addVendor(microsoft, 25, Buffer.alloc(49));
  });
  t.equal(short, undefined);
  t.equal(logins.counted('drops', 'password_malformed'), 1);
  const alone = await logins.ask((builder) => {
    builder.add(attribute.userName, 'User');
    builder.addVendor(microsoft, 11, authenticatorChallenge);
  });
  t.ok(rejected(alone));
  t.equal(logins.counted('rejects', 'no_password'), 1);
});

t.test('a MAC address is one, however it is written', async (t) => {
  const forms = [
    '001b44113ab7',
    '00:1b:44:11:3a:b7',
    '00-1B-44-11-3A-B7',
    '001b.4411.3ab7',
    '001b-4411-3ab7',
    '001B44-113AB7',
  ];
  for (const form of forms) t.equal(macDigits(form), '001b44113ab7', form);
  for (const form of ['001b44113ab', '00:1b:44:11:3a:bg', '00:1b-44:11:3a:b7', '00:1b:44:11:3a:b7:00', 'alice', '']) {
    t.equal(macDigits(form), undefined, form);
  }
});

t.test('an access server vouches for a MAC address', async (t) => {
  const logins = createLogins();
  logins.isp.addSubscriber('001b44113ab7', '', {}, ':mac', 'none');
  logins.isp.addSubscriber('00:00:5e:00:53:01', 'a password of its own');
  logins.isp.addSubscriber('00005e005301', '', {}, ':mac', 'none');
  const callCheck = (userName: string, station?: string) => (builder: PacketBuilder) => {
    builder.add(attribute.userName, userName);
    builder.add(attribute.serviceType, 10);
    if (station) builder.add(attribute.callingStationId, station);
  };
  const mac = '00-1B-44-11-3A-B7';
  t.ok(accepted(await logins.ask(callCheck(mac))), 'Call-Check');
  t.ok(accepted(await logins.ask(callCheck('port 7', '001b.4411.3ab7'))), 'Call-Check with another name');
  t.ok(accepted(await logins.ask(pap(mac, mac))), 'as user name and password');
  const chap = (builder: PacketBuilder, authenticator: Buffer) => {
    builder.add(attribute.userName, mac);
    const response = chapResponse(3, Buffer.from(mac), authenticator);
    builder.add(attribute.chapPassword, Buffer.concat([Buffer.of(3), response]));
  };
  t.ok(accepted(await logins.ask(chap)), 'by CHAP');
  const station = (name: string) => (builder: PacketBuilder) => builder.add(attribute.callingStationId, name);
  t.ok(accepted(await logins.ask(pap(mac, mac, station('001b44113ab7')))));
  t.ok(rejected(await logins.ask(pap(mac, mac, station('00005e005301')))), 'somebody else types it');
  t.ok(rejected(await logins.ask(pap(mac, 'guess'))));
  t.ok(rejected(await logins.ask(callCheck('00-00-00-00-00-01'))), 'nobody has it');
  t.ok(rejected(await logins.ask(pap('001b44113ab7@:mac', ''))), 'its place cannot be typed');
  t.ok(rejected(await logins.ask(pap('00:00:5e:00:53:01', '00:00:5e:00:53:01'))), 'a name with a password needs it');
  t.ok(accepted(await logins.ask(pap('00:00:5e:00:53:01', 'a password of its own'))));
});

t.test('an access server vouches for a line by circuit and remote id', async (t) => {
  const logins = createLogins();
  logins.isp.addSubscriber('olt1 1/1/3\u001fmodem-7', '', {}, ':line', 'none');
  logins.isp.addSubscriber('olt1 1/1/4', '', {}, ':circuit', 'none');
  logins.isp.addSubscriber('0x0006deadbeef', '', {}, ':remote', 'none');
  const line = (circuit?: string | Buffer, remote?: string | Buffer) => (builder: PacketBuilder) => {
    builder.add(attribute.userName, 'dhcp');
    if (circuit) builder.addVendor(3561, 1, circuit);
    if (remote) builder.addVendor(3561, 2, remote);
  };
  t.ok(accepted(await logins.ask(line('olt1 1/1/3', 'modem-7'))), 'both');
  t.ok(rejected(await logins.ask(line('olt1 1/1/3', 'modem-8'))), 'another modem there');
  t.ok(rejected(await logins.ask(line('olt1 1/1/3'))));
  t.ok(accepted(await logins.ask(line('olt1 1/1/4', 'any modem'))), 'whatever is at that port');
  t.ok(accepted(await logins.ask(line(undefined, hex('0006deadbeef')))), 'octets that are no text');
  t.ok(rejected(await logins.ask(line())));
  t.equal(logins.counted('rejects', 'no_password'), 3);
  t.equal(lineId('\u0000\u0006Ä'), '0x0006c4');
});

t.test('radclient logs in by MS-CHAP', { skip: missing('radclient') }, async (t) => {
  const logins = createLogins();
  logins.isp.addSubscriber('alice', 'wonderland');
  const target = `127.0.0.1:${await logins.serve(t)}`;
  const ask = (password: string) =>
    radclient(target, 'auth', ['User-Name = "alice"', `MS-CHAP-Password = "${password}"`]);
  const reply = await ask('wonderland');
  t.equal(reply.code, 'Access-Accept');
  t.match(reply.value('MS-CHAP-MPPE-Keys'), /^0x/);
  const wrong = await ask('looking-glass');
  t.equal(wrong.code, 'Access-Reject');
  t.match(wrong.value('MS-CHAP-Error'), /E=691 R=0/);
});
