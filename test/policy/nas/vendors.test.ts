// What access servers are told: rates per vendor, exact to the bit per second.
import fc from 'fast-check';
import t from 'tap';
import { mikrotikRateLimit } from '#policy/nas/mikrotik.ts';
import { nasProfile, vendors } from '#policy/nas/vendors.ts';

t.test('MikroTik gets upload before download in the largest exact unit', async (t) => {
  const rate = (upBps: number, downBps: number) => mikrotikRateLimit({ upBps, downBps });
  t.equal(rate(5_000_000, 20_000_000), '5M/20M');
  t.equal(rate(512_000, 1_000_000), '512k/1M');
  t.equal(rate(1_500_000, 2_500_500), '1500k/2500500');
  t.strictSame(nasProfile('mikrotik').rate({ upBps: 2_000_000, downBps: 2_000_000 }), [
    { vendor: 14988, type: 8, value: '2M/2M' },
  ]);
});

t.test('a MikroTik rate never loses a bit per second', async () => {
  const bps = fc.oneof(
    fc.integer({ min: 1, max: 10_000_000_000 }),
    fc.integer({ min: 1, max: 10_000_000 }).map((kbps) => kbps * 1000),
    fc.integer({ min: 1, max: 10_000 }).map((mbps) => mbps * 1_000_000),
  );
  const read = (text: string) => Number.parseInt(text, 10) * (text.endsWith('M') ? 1e6 : text.endsWith('k') ? 1e3 : 1);
  fc.assert(
    fc.property(bps, bps, (upBps, downBps) => {
      const text = mikrotikRateLimit({ upBps, downBps });
      const [up = '', down = ''] = text.split('/');
      return /^\d+[kM]?\/\d+[kM]?$/.test(text) && read(up) === upBps && read(down) === downBps;
    }),
  );
});

t.test('others get the WISPr attributes in bits per second, never wrapped around', async (t) => {
  t.strictSame(nasProfile('generic').rate({ upBps: 512_000, downBps: 20_000_001 }), [
    { vendor: 14122, type: 7, value: 512_000 },
    { vendor: 14122, type: 8, value: 20_000_001 },
  ]);
  t.equal(nasProfile('generic').rate({ upBps: 1, downBps: 10_000_000_000 })[1]?.value, 4_294_967_295);
});

t.test('every vendor has its profile, an unknown one the generic', async (t) => {
  t.strictSame([...vendors].sort(), ['generic', 'mikrotik']);
  for (const vendor of vendors) t.equal(nasProfile(vendor).vendor, vendor);
  for (const name of ['', 'huawei', 'toString', '__proto__']) t.equal(nasProfile(name).vendor, 'generic', name);
});
