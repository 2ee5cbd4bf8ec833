// Who held an address when: exact at the edges, for every prefix length, under growth and expiry.
import fc from 'fast-check';
import t from 'tap';
import {
  type AddressIndex,
  type AddressInterval,
  createAddressIndex,
} from '#flow-collector/attribution/address-index.ts';
import { runs } from '#test/support/effort.ts';

const open = Number.POSITIVE_INFINITY;

function interval(given: Partial<AddressInterval>): AddressInterval {
  return {
    tenantId: 1,
    subscriptionId: 1,
    partition: 0,
    holder: 1,
    words: [0x0a000001],
    length: 32,
    fromMs: 0,
    toMs: open,
    ...given,
  };
}

/** Subscription that holds the IPv4 address, 0 = none. */
function holderOf(index: AddressIndex, atMs: number, address = 0x0a000001, tenantId = 1): number {
  const found = index.find4(index.tenant(tenantId), address, atMs);
  return found < 0 ? 0 : index.subscriptionId(found);
}

t.test('an address belongs to whom had it at that instant, not to who has it now', async (t) => {
  const index = createAddressIndex();
  index.put(interval({ subscriptionId: 7, holder: 1, fromMs: 100_000 }));
  t.equal(holderOf(index, 150_000), 7);
  index.put(interval({ subscriptionId: 7, holder: 1, fromMs: 100_000, toMs: 200_000 }));
  index.put(interval({ subscriptionId: 8, holder: 2, fromMs: 300_000 }));
  t.equal(holderOf(index, 100_000), 7);
  t.equal(holderOf(index, 199_999), 7);
  t.equal(holderOf(index, 250_000), 0);
  t.equal(holderOf(index, 300_000), 8);
  t.equal(holderOf(index, 150_000, 0x0a000002), 0);
  t.equal(holderOf(index, 150_000, 0x0a000001, 2), 0, 'another tenant has its own addresses');
  t.equal(index.size(), 2);
});

t.test(
  'within two seconds of an edge the address is still its last or next holder’s, unless another has it',
  async (t) => {
    const index = createAddressIndex();
    index.put(interval({ subscriptionId: 7, holder: 1, fromMs: 100_000, toMs: 200_000 }));
    t.equal(holderOf(index, 98_000), 7);
    t.equal(holderOf(index, 97_999), 0);
    t.equal(holderOf(index, 202_000), 7);
    t.equal(holderOf(index, 202_001), 0);
    index.put(interval({ subscriptionId: 8, holder: 2, fromMs: 201_000 }));
    t.equal(holderOf(index, 200_400), 7);
    t.equal(holderOf(index, 200_600), 8);
    t.equal(holderOf(index, 201_000), 8);
  },
);

t.test('a session whose end was lost gives way to the next one on its address', async (t) => {
  const index = createAddressIndex();
  index.put(interval({ subscriptionId: 7, holder: 1, fromMs: 100_000 }));
  index.put(interval({ subscriptionId: 8, holder: 2, fromMs: 200_000 }));
  t.equal(holderOf(index, 150_000), 7);
  t.equal(holderOf(index, 250_000), 8);
  index.put(interval({ subscriptionId: 7, holder: 1, fromMs: 90_000, toMs: 95_000 }));
  t.equal(holderOf(index, 150_000), 0, 'an end ends whatever the holder had open there');
});

t.test('the longest IPv6 prefix decides', async (t) => {
  const index = createAddressIndex();
  const tenant = index.tenant(1);
  const at = (words: number[]) => {
    const found = index.find6(tenant, Uint32Array.from([9, 9, ...words]), 2, 1000);
    return found < 0 ? 0 : index.subscriptionId(found);
  };
  index.put(interval({ subscriptionId: 1, words: [0x20010db8, 0x00010000, 0, 0], length: 48 }));
  index.put(interval({ subscriptionId: 2, words: [0x20010db8, 0x00010200, 0, 0], length: 56 }));
  index.put(interval({ subscriptionId: 3, words: [0x20010db8, 0x00010203, 0, 0], length: 64 }));
  index.put(interval({ subscriptionId: 4, words: [0x20010db8, 0x00010203, 0, 1], length: 128 }));
  t.equal(at([0x20010db8, 0x0001ffff, 1, 1]), 1);
  t.equal(at([0x20010db8, 0x000102ff, 1, 1]), 2);
  t.equal(at([0x20010db8, 0x00010203, 0xffffffff, 1]), 3);
  t.equal(at([0x20010db8, 0x00010203, 0, 1]), 4);
  t.equal(at([0x20010db8, 0x00020000, 0, 1]), 0);
});

t.test('what ended long ago is forgotten, what is open stays', async (t) => {
  const index = createAddressIndex();
  for (let i = 0; i < 5000; i++) {
    index.put(interval({ holder: i, subscriptionId: i + 1, words: [i], fromMs: 0, toMs: i % 2 ? open : 1000 * i }));
  }
  index.expire(2_000_000);
  t.equal(index.size(), 2500 + 1500);
  t.equal(holderOf(index, 500, 1), 2);
  t.equal(holderOf(index, 500, 1000), 0);
  t.equal(holderOf(index, 500, 2000), 2001);
  index.put(interval({ holder: 9999, subscriptionId: 9, words: [1000], fromMs: 0 }));
  t.equal(holderOf(index, 500, 1000), 9, 'its place is used again');
});

t.test('memory is bounded: by the intervals of all, and by those of one address', async (t) => {
  const index = createAddressIndex(100);
  for (let i = 0; i < 100; i++) t.ok(index.put(interval({ words: [i] })), String(i));
  t.notOk(index.put(interval({ words: [100] })));
  t.ok(index.put(interval({ words: [5], toMs: 1000 })), 'the end of a known one is taken');
  const busy = createAddressIndex();
  busy.put(interval({ holder: 1, subscriptionId: 1, fromMs: 0 }));
  for (let i = 2; i < 1000; i++)
    busy.put(interval({ holder: i, subscriptionId: i, fromMs: 10_000 * i, toMs: 10_000 * i + 5000 }));
  t.equal(busy.size(), 64);
  t.equal(holderOf(busy, 9_990_000), 999);
  t.equal(holderOf(busy, 5000), 1, 'the open one was not lost for those that ended');
});

t.test('it answers as a list that is searched from end to end would', async (t) => {
  const one = fc.record({
    tenantId: fc.integer({ min: 1, max: 2 }),
    subscriptionId: fc.integer({ min: 1, max: 5 }),
    partition: fc.integer({ min: 0, max: 63 }),
    words: fc.oneof(
      fc.tuple(fc.integer({ min: 0, max: 3 })),
      fc.tuple(fc.constant(1), fc.integer({ min: 0, max: 3 }), fc.constant(0), fc.constant(0)),
    ),
    fromMs: fc.integer({ min: 0, max: 20 }).map((s) => s * 10_000),
    lastsMs: fc.option(
      fc.integer({ min: 1, max: 5 }).map((s) => s * 10_000),
      { nil: open },
    ),
  });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 40 }), (given) => {
      const index = createAddressIndex();
      const list = given.map(({ words, fromMs, lastsMs, ...rest }, holder) => ({
        ...rest,
        holder,
        words: [...words],
        length: words.length === 1 ? 32 : 64,
        fromMs,
        toMs: fromMs + lastsMs,
      }));
      for (const entry of list) index.put(entry);
      for (const { tenantId, words } of list) {
        for (let atMs = 5000; atMs < 260_000; atMs += 10_000) {
          const tenant = index.tenant(tenantId);
          const found = words.length === 1 ? index.find4(tenant, words[0]!, atMs) : index.find6(tenant, words, 0, atMs);
          const expected = list
            .filter((one) => one.tenantId === tenantId && String(one.words) === String(words))
            .filter((one) => one.fromMs <= atMs && atMs < one.toMs);
          const newest = Math.max(...expected.map(({ fromMs }) => fromMs));
          const right = expected.filter(({ fromMs }) => fromMs === newest).map(({ subscriptionId }) => subscriptionId);
          const answered = found < 0 ? undefined : index.subscriptionId(found);
          if (answered === undefined ? right.length > 0 : !right.includes(answered)) return false;
        }
      }
      return true;
    }),
    { numRuns: runs(200) },
  );
  t.pass();
});
