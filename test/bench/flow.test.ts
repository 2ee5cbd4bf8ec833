// The search for the highest rate, and the datagrams whose sequence must tell the truth.
import fc from 'fast-check';
import t from 'tap';
import { makeDatagrams } from '#bench/flow/datagrams.ts';
import { highestRate } from '#bench/flow/search.ts';
import { runs } from '#test/support/effort.ts';

const options = { first: 1000, most: 1_000_000, confirmations: 3, precision: 1.1 };

t.test('the rate that is found is kept, and a tenth more is not', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 50, max: 900_000 }), async (capacity) => {
      const found = await highestRate(async (rate) => ({ kept: rate <= capacity, reached: rate }), options);
      return !found.limitedBySender && found.perSecond <= capacity && found.perSecond * 1.1 * 1.06 >= capacity;
    }),
    { numRuns: runs(100) },
  );
});

t.test('where the sender is the limit, it says so', async (t) => {
  const found = await highestRate(async (rate) => ({ kept: true, reached: Math.min(rate, 5000) }), options);
  t.strictSame(found, { perSecond: 5000, limitedBySender: true });
});

t.test('no faster than the fastest that is asked for', async (t) => {
  const asked: number[] = [];
  const found = await highestRate(
    async (rate) => {
      asked.push(rate);
      return { kept: true, reached: rate * 0.999 };
    },
    { ...options, most: 3000 },
  );
  t.equal(Math.max(...asked), 3000);
  t.equal(found.limitedBySender, false);
});

t.test('a rate that only short trials keep is lowered until it is confirmed', async (t) => {
  const found = await highestRate(
    async (rate, confirming) => ({ kept: rate <= (confirming ? 8000 : 10_000), reached: rate }),
    options,
  );
  t.ok(found.perSecond <= 8000 && found.perSecond > 7000, String(found.perSecond));
});

t.test('a collector that loses everything has the rate 0', async (t) => {
  const found = await highestRate(async (rate) => ({ kept: false, reached: rate }), options);
  t.equal(found.perSecond, 0);
});

t.test('v5 numbers flows, v9 numbers datagrams', async (t) => {
  const shared = { datagrams: 3, exporter: 1, subscribers: 10, firstSubscriber: 0, uptimeMs: 3_600_000 };
  const five = makeDatagrams({ ...shared, format: 'v5', recordsEach: 30 });
  const nine = makeDatagrams({ ...shared, format: 'v9', recordsEach: 26 });
  t.equal(five.stamp(five.ring[0]!, 0, 1, 1), 30);
  t.equal(five.stamp(five.ring[1]!, 4_294_967_290, 1, 1), 24, 'it wraps at 32 bits');
  t.equal(five.ring[1]!.readUInt32BE(16), 4_294_967_290);
  t.equal(nine.stamp(nine.ring[0]!, 7, 1, 1), 8);
  t.equal(nine.ring[0]!.readUInt32BE(12), 7);
  t.ok(nine.ring[0]!.length <= 1472, 'it fits a frame of Ethernet');
  const ends = nine.ring.flatMap((datagram) =>
    Array.from({ length: 26 }, (_, record) => {
      const at = 24 + record * 50;
      return datagram.toString('hex', at, at + 8) + datagram.toString('hex', at + 36, at + 40);
    }),
  );
  t.equal(new Set(ends).size, 78, 'no two flows are the same');
});
