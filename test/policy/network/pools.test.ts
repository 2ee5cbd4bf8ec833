// Pools, their units and addresses: which pool a login draws from, and that a unit and its address are one.
import fc from 'fast-check';
import t from 'tap';
import { formatIp, parseIp } from '#policy/network/address.ts';
import { plainMac } from '#policy/network/mac.ts';
import { type Pool, poolsFor } from '#policy/network/pool.ts';
import { addressOfUnit, createUnitIndex } from '#policy/network/units.ts';

const pool = (id: number, change: Partial<Pool> = {}): Pool => ({
  ...{ tenantId: 1, id, name: `pool ${id}`, family: 'ipv4', priority: 100, fallbackId: null, nasId: null },
  ...{ onExhausted: 'reject', unitLength: 32, coolDownMs: 300_000, reserve: 0, ranges: [] },
  ...change,
});
const chosen = (pools: readonly Pool[], poolId: number, nasId = 1) =>
  poolsFor(pools, { poolId, family: 'ipv4', nasId }).map(({ id }) => id);

t.test('a login asks its pool, then the fallbacks, and no circle', async (t) => {
  const pools = [pool(1, { fallbackId: 2 }), pool(2, { fallbackId: 3 }), pool(3, { fallbackId: 1 })];
  t.strictSame(chosen(pools, 1), [1, 2, 3]);
  t.strictSame(chosen(pools, 3), [3, 1, 2]);
  t.strictSame(chosen(pools, 9), []);
});

t.test('pools of another access server are passed over; else its own ones by priority', async (t) => {
  const pools = [
    pool(1, { nasId: 7, fallbackId: 2 }),
    pool(2),
    pool(3, { nasId: 8 }),
    pool(4, { nasId: 9, priority: 50 }),
    pool(5, { nasId: 9, priority: 10 }),
    pool(6, { nasId: 9, family: 'ipv6_prefix', priority: 1 }),
  ];
  t.strictSame(chosen(pools, 1, 7), [1, 2]);
  t.strictSame(chosen(pools, 1, 8), [2]);
  t.strictSame(chosen(pools, 3, 9), [5, 4]);
  t.strictSame(chosen(pools, 3, 1), []);
});

t.test('a unit is an address or a prefix, and is found by it', async (t) => {
  const v4 = pool(1, { ranges: [{ id: 4, first: '100.64.0.250', size: 20, draining: false }] });
  const homes = pool(2, {
    ...{ family: 'delegated_prefix' as const, unitLength: 56 },
    ranges: [{ id: 5, first: '2001:db8::', size: 2 ** 24, draining: true }],
  });
  t.equal(addressOfUnit(v4, '4:6'), '100.64.1.0');
  t.equal(addressOfUnit(v4, '4:20'), undefined);
  t.equal(addressOfUnit(v4, '5:0'), undefined);
  t.equal(addressOfUnit(homes, '5:257'), '2001:db8:1:100::/56');
  const index = createUnitIndex([v4, homes]);
  t.match(index.find('ipv4', '100.64.1.0'), { pool: { id: 1 }, unit: '4:6' });
  t.match(index.find('delegated_prefix', '2001:db8:1:100::/56'), { pool: { id: 2 }, unit: '5:257' });
  for (const [family, text] of [
    ['ipv4', '100.64.0.249'],
    ['ipv4', '100.64.1.14'],
    ['ipv6_prefix', '2001:db8::/56'],
    ['delegated_prefix', '2001:db8::/64'],
    ['delegated_prefix', '2001:dba::/56'],
    ['delegated_prefix', '100.64.0.250'],
    ['ipv4', 'nonsense'],
  ] as const)
    t.equal(index.find(family, text), undefined, `${family} ${text}`);
});

t.test('every unit of every pool leads to its address and back', async (t) => {
  const some = fc.record({
    first: fc.bigInt(0n, 2n ** 24n),
    unitLength: fc.integer({ min: 40, max: 64 }),
    offset: fc.integer({ min: 0, max: 2 ** 20 - 1 }),
    four: fc.boolean(),
  });
  fc.assert(
    fc.property(some, ({ first, unitLength, offset, four }) => {
      const bits = four ? (32 as const) : (128 as const);
      const value = four ? first : (0x2001n << 112n) + (first << BigInt(128 - unitLength));
      const text = formatIp({ bits, value });
      const family = four ? ('ipv4' as const) : ('delegated_prefix' as const);
      const one = pool(1, { family, unitLength: four ? 32 : unitLength });
      const ranges = [{ id: 9, first: text, size: 2 ** 20, draining: false }];
      const address = addressOfUnit({ ...one, ranges }, `9:${offset}`) ?? '';
      return createUnitIndex([{ ...one, ranges }]).find(family, address)?.unit === `9:${offset}`;
    }),
  );
  t.pass('holds');
});

t.test('addresses are read and written as everybody writes them', async (t) => {
  for (const [text, canonical] of [
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['::', '::'],
    ['::1', '::1'],
    ['fe80::', 'fe80::'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['255.0.0.255', '255.0.0.255'],
  ] as const)
    t.equal(formatIp(parseIp(text)!), canonical, text);
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.256',
    '1::2::3',
    '1:2:3',
    'g::',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    '1:2:3:4:5:6:7::8:9',
  ])
    t.equal(parseIp(text), undefined, text);
});

t.test('a device is the same however the access server writes it', async (t) => {
  for (const text of [
    '00:1A:2b:3c:4D:5e',
    '00-1a-2b-3c-4d-5e',
    '001a.2b3c.4d5e',
    '001A2B3C4D5E',
    ' 00:1a:2b:3c:4d:5e ',
    '00-1A-2B-3C-4D-5E:ssid',
    '00 1a 2b 3c 4d 5e',
  ])
    t.equal(plainMac(text), '001a2b3c4d5e', text);
  for (const text of ['', '10.0.0.1', '+8801700000000', '00:1a:2b:3c:4d', '001a2b3c4d5e6f', 'ether1'])
    t.equal(plainMac(text), '', text);
});
