// Who is asking: addresses and prefixes, the table of access servers, stored passwords and their cache.
import fc from 'fast-check';
import t from 'tap';
import { createNasTable } from '#aaa-server/auth/nas-table.ts';
import { createPasswords } from '#aaa-server/auth/passwords.ts';
import { sameOctets } from '#aaa-server/auth/same-octets.ts';
import { formatIpv6, parseIpv6 } from '#aaa-server/wire/ip-text.ts';
import { maskTo, parseAddress, parsePrefix } from '#ops/runtime/ip.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import { keyring, nasOf } from './support/isp.ts';

t.test('addresses are read as numbers, in every way of writing them', async (t) => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const octets = parseIpv6(text);
      const parsed = parseAddress(text);
      if (!octets || !parsed) return false;
      const same = parseIpv6(formatIpv6(octets))?.equals(octets) === true;
      const mapped = parsed.bits === 32;
      return same && (mapped || parsed.value === BigInt(`0x${octets.toString('hex')}`));
    }),
    { numRuns: 1000 },
  );
  t.match(parseAddress('10.0.0.1'), { bits: 32, value: 0x0a000001n });
  t.match(parseAddress('::FFFF:10.0.0.1'), { bits: 32, value: 0x0a000001n });
  t.equal(formatIpv6(parseIpv6('2001:DB8:0:0:1:0:0:1')!), '2001:db8::1:0:0:1');
  for (const text of ['', '10.0.0', '10.0.0.256', '1::2::3', 'fe80::1%eth0', 'tower']) {
    t.equal(parseAddress(text), undefined, text);
  }
  t.match(parsePrefix('10.1.2.3/8'), { bits: 32, length: 8, value: 0x0a000000n });
  t.match(parsePrefix('10.1.2.3'), { length: 32 });
  t.match(parsePrefix('::/0'), { bits: 128, length: 0, value: 0n });
  for (const text of ['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/-1', '::/129', 'x/8'])
    t.equal(parsePrefix(text), undefined, text);
});

t.test('the NAS found is that of the longest prefix that contains the source', async (t) => {
  const length = fc.integer({ min: 0, max: 32 });
  const address = fc.ipV4();
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(address, length), { maxLength: 12 }), address, (prefixes, source) => {
      const records = prefixes.map(([base, bits], index) => nasOf({ id: index + 1, address: `${base}/${bits}` }));
      const table = createNasTable(records, keyring);
      const value = parseAddress(source)!;
      const containing = records
        .map((record) => ({ record, prefix: parsePrefix(record.address)! }))
        .filter(({ prefix }) => maskTo(value, prefix.length) === prefix.value);
      const longest = Math.max(-1, ...containing.map(({ prefix }) => prefix.length));
      const expected = containing.filter(({ prefix }) => prefix.length === longest).map(({ record }) => record.id);
      const found = table.find(source, () => undefined)?.record.id;
      const again = table.find(source, () => undefined)?.record.id;
      return found === again && (found === undefined ? expected.length === 0 : expected.includes(found));
    }),
    { numRuns: 200 },
  );
  const table = createNasTable([nasOf({ address: '10.0.0.1/32' }), nasOf({ id: 2, address: '10.0.0.0/24' })], keyring);
  t.equal(table.find('10.0.0.1', () => undefined)?.several, false);
  t.equal(table.find('10.0.0.9', () => undefined)?.several, true, 'a prefix stands for several devices');
  const moved = nasOf({ address: '10.0.0.1/32' });
  const broken = createNasTable([{ ...moved, address: '10.0.0.2/32' }], keyring);
  t.equal(
    broken.find('10.0.0.2', () => undefined),
    undefined,
  );
  t.match(broken.problems, [/its secret cannot be used/], 'a secret moved from its place is none');
});

t.test('passwords compare as octets', async (t) => {
  const octets = fc.uint8Array({ maxLength: 128 }).map((bytes) => Buffer.from(bytes));
  fc.assert(fc.property(octets, octets, (a, b) => sameOctets(a, b) === a.equals(b)));
  fc.assert(fc.property(octets, (a) => sameOctets(a, Buffer.from(a))));
  t.notOk(sameOctets(Buffer.from('a'), Buffer.from('a\0')), 'what pads the comparison is no part of it');
  t.notOk(sameOctets(Buffer.alloc(129, 1), Buffer.alloc(129, 1)), 'longer than a User-Password can be');
});

t.test('a password is decrypted once while it is in use, and the oldest is forgotten', async (t) => {
  let decrypted = 0;
  const counting: Keyring = {
    ...keyring,
    decrypt: (...args) => {
      decrypted++;
      return keyring.decrypt(...args);
    },
  };
  const passwords = createPasswords(counting, 2);
  const credentialOf = (userName: string, password: string) => ({
    tenantId: 1,
    realm: '',
    userName,
    subscriptionId: 1,
    passwordCipher: keyring.encrypt('credential', `1::${userName}`, Buffer.from(password)),
    scheme: 'clear' as const,
  });
  const [a, b, c] = [credentialOf('a', 'one'), credentialOf('b', 'two'), credentialOf('c', 'three')];
  t.equal(String(passwords.of(a)), 'one');
  t.equal(String(passwords.of(b)), 'two');
  t.equal(String(passwords.of(a)), 'one');
  t.equal(decrypted, 2);
  passwords.of(c);
  passwords.of(a);
  t.equal(decrypted, 3, 'b was used longest ago');
  passwords.of(b);
  t.equal(decrypted, 4);
  t.equal(String(passwords.of(credentialOf('a', 'changed'))), 'changed', 'a new ciphertext is a new password');
  t.throws(() => passwords.of({ ...a, userName: 'b' }), 'moved to another record');
});
