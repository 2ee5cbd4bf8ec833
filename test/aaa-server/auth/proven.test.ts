// What is remembered of proven passwords: this password for this stored secret at this place, and nothing else.
import fc from 'fast-check';
import t from 'tap';
import { createProven, type Offer } from '#aaa-server/auth/proven.ts';
import { runs } from '#test/support/effort.ts';

const key = Buffer.alloc(16, 5);
const offer: Offer = {
  tenantId: 1,
  realm: 'example.net',
  userName: 'alice',
  stored: Buffer.from('ciphertext'),
  offered: Buffer.from('wonderland'),
};

t.test('a password is known once it was remembered, and only where and for what it was proven', async (t) => {
  const proven = createProven();
  t.notOk(proven.has(offer));
  proven.remember(offer);
  proven.remember(offer);
  t.ok(proven.has(offer));
  t.ok(proven.has({ ...offer, offered: Buffer.from('wonderland') }), 'by its octets, not by the object');
  const others: Partial<Offer>[] = [
    { tenantId: 2 },
    { realm: '' },
    { userName: 'alicE' },
    { stored: Buffer.from('cipherteXt') },
    { offered: Buffer.from('wonderlanD') },
    { offered: Buffer.alloc(0) },
    { realm: 'example.neta', userName: 'lice' },
    { stored: Buffer.from('ciphertextw'), offered: Buffer.from('onderland') },
  ];
  for (const other of others) t.notOk(proven.has({ ...offer, ...other }), JSON.stringify(other));
});

t.test('another process knows nothing, whatever the same octets are there', async (t) => {
  const [ours, theirs] = [createProven(), createProven()];
  ours.remember(offer);
  t.notOk(theirs.has(offer));
});

t.test('names beyond ASCII and names of the greatest length', async (t) => {
  const proven = createProven(64, key);
  const long = '\u00fc'.repeat(253);
  for (const userName of ['zo\u00eb', long, `${long}x`.slice(1), '\u{1f600}']) {
    proven.remember({ ...offer, realm: long, userName });
    t.ok(proven.has({ ...offer, realm: long, userName }));
    t.notOk(proven.has({ ...offer, realm: long, userName: `${userName}.` }));
  }
});

t.test('memory never grows: the newest are known, some of the oldest are not any more', async (t) => {
  const proven = createProven(64, key);
  const offers = Array.from({ length: 1000 }, (_, i) => ({ ...offer, userName: `user${i}` }));
  for (const each of offers) {
    proven.remember(each);
    t.ok(proven.has(each) || t.fail(each.userName));
  }
  const known = offers.filter(proven.has);
  t.ok(known.length <= 64 && known.length > 32, `${known.length} are known`);
  t.ok(
    known.every((each) => offers.indexOf(each) >= 500),
    'the newest',
  );
  t.throws(() => createProven(100), /power of two/);
});

t.test('no two different offers are taken for each other', async (t) => {
  const part = fc.string({ maxLength: 6, unit: fc.constantFrom('a', 'b', '\0', '\u00e4') });
  const any = fc.record({
    tenantId: fc.nat(2),
    realm: part,
    userName: part,
    stored: part.map((text) => Buffer.from(text)),
    offered: part.map((text) => Buffer.from(text)),
  });
  const text = ({ tenantId, realm, userName, stored, offered }: Offer) =>
    JSON.stringify([
      tenantId,
      realm,
      userName,
      Buffer.from(stored).toString('hex'),
      Buffer.from(offered).toString('hex'),
    ]);
  fc.assert(
    fc.property(any, any, (one, other) => {
      const proven = createProven(4, key);
      proven.remember(one);
      return proven.has(one) && proven.has(other) === (text(one) === text(other));
    }),
    { numRuns: runs(1000) },
  );
  t.pass('whatever their texts are');
});
