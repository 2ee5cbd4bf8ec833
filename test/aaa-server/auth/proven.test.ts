// What is remembered of proven passwords: this password for this stored secret at this place, and nothing else.
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { createProven, createProvenPlaces, type Stored } from '#aaa-server/auth/proven.ts';
import { runs } from '#test/support/effort.ts';

const key = Buffer.alloc(16, 5);
const alice: Stored = {
  tenantId: 1,
  realm: 'example.net',
  userName: 'alice',
  scheme: 'clear',
  passwordCipher: Buffer.from('ciphertext'),
};
const wonderland = Buffer.from('wonderland');

t.test('a password is known once it was remembered, and only where and for what it was proven', async (t) => {
  const proven = createProven(createProvenPlaces());
  t.notOk(proven.has(alice, wonderland));
  proven.remember(alice, wonderland);
  proven.remember(alice, wonderland);
  t.ok(proven.has(alice, wonderland));
  t.ok(proven.has({ ...alice }, Buffer.from('wonderland')), 'by its octets, not by the object');
  const others: [Partial<Stored>, string?][] = [
    [{ tenantId: 2 }],
    [{ realm: '' }],
    [{ userName: 'alicE' }],
    [{ scheme: 'crypt' }],
    [{ passwordCipher: Buffer.from('cipherteXt') }],
    [{}, 'wonderlanD'],
    [{}, ''],
    [{ realm: 'example.neta', userName: 'lice' }],
    [{ passwordCipher: Buffer.from('ciphertextw') }, 'onderland'],
  ];
  for (const [other, offered = 'wonderland'] of others) {
    t.notOk(proven.has({ ...alice, ...other }, Buffer.from(offered)), JSON.stringify([other, offered]));
  }
});

t.test('another process knows nothing, whatever the same octets are there', async (t) => {
  const [ours, theirs] = [createProven(createProvenPlaces()), createProven(createProvenPlaces())];
  ours.remember(alice, wonderland);
  t.notOk(theirs.has(alice, wonderland));
});

t.test('names beyond ASCII and names of the greatest length', async (t) => {
  const proven = createProven(createProvenPlaces(64, key));
  const long = '\u00fc'.repeat(253);
  for (const userName of ['zo\u00eb', long, `${long}x`.slice(1), '\u{1f600}']) {
    proven.remember({ ...alice, realm: long, userName }, wonderland);
    t.ok(proven.has({ ...alice, realm: long, userName }, wonderland));
    t.notOk(proven.has({ ...alice, realm: long, userName: `${userName}.` }, wonderland));
  }
});

t.test('memory never grows: the newest are known, some of the oldest are not any more', async (t) => {
  const proven = createProven(createProvenPlaces(64, key));
  const offers = Array.from({ length: 1000 }, (_, i) => ({ ...alice, userName: `user${i}` }));
  for (const each of offers) {
    proven.remember(each, wonderland);
    if (!proven.has(each, wonderland)) t.fail(each.userName);
  }
  const known = offers.filter((each) => proven.has(each, wonderland));
  t.ok(known.length <= 64 && known.length > 32, `${known.length} are known`);
  t.ok(
    known.every((each) => offers.indexOf(each) >= 500),
    'the newest',
  );
  t.throws(() => createProvenPlaces(100), /power of two/);
});

t.test('no two different offers are taken for each other', async (t) => {
  const part = fc.string({ maxLength: 6, unit: fc.constantFrom('a', 'b', '\0', '\u00e4') });
  const any = fc.tuple(
    fc.record({
      tenantId: fc.nat(2),
      realm: part,
      userName: part,
      scheme: fc.constantFrom('clear' as const, 'crypt' as const),
      passwordCipher: part.map((text) => Buffer.from(text)),
    }),
    part.map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(any, any, (one, other) => {
      const proven = createProven(createProvenPlaces(8, key));
      proven.remember(...one);
      return proven.has(...one) && proven.has(...other) === isDeepStrictEqual(one, other);
    }),
    { numRuns: runs(1000) },
  );
  t.pass('whatever their texts are');
});

t.test('what one worker has proven the others need not', async (t) => {
  const places = createProvenPlaces();
  const [one, another] = [createProven(places), createProven(structuredClone(places))];
  one.remember(alice, wonderland);
  t.ok(another.has(alice, wonderland));
  t.notOk(another.has(alice, Buffer.from('wonderlanD')));
});
