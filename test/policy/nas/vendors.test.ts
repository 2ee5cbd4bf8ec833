// What access servers are told: the speed of each vendor, exact or rounded down, never wrapped around and never as no limit.
import fc from 'fast-check';
import t from 'tap';
import { configuredNas } from '#policy/nas/configured.ts';
import { mikrotikRateLimit } from '#policy/nas/mikrotik.ts';
import { type NasAttribute, textAttribute } from '#policy/nas/profile.ts';
import { nasProfile, vendors } from '#policy/nas/vendors.ts';
import type { Speed } from '#policy/speed.ts';

const speed: Speed = { upBps: 5_000_000, downBps: 20_000_000 };
const rate = (vendor: string, of: Speed = speed) => nasProfile(vendor).rate?.(of) ?? null;
const numbers = (attributes: readonly NasAttribute[]) =>
  Object.fromEntries(attributes.map(({ vendor, type, value }) => [`${vendor}.${type}`, value]));

t.test('MikroTik gets upload before download in the largest exact unit', async (t) => {
  const rate = (upBps: number, downBps: number) => mikrotikRateLimit({ upBps, downBps });
  t.equal(rate(5_000_000, 20_000_000), '5M/20M');
  t.equal(rate(512_000, 1_000_000), '512k/1M');
  t.equal(rate(1_500_000, 2_500_500), '1500k/2500500');
  t.strictSame(nasProfile('mikrotik').rate?.({ upBps: 2_000_000, downBps: 2_000_000 }), [
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

t.test('MikroTik is told burst, priority and guaranteed rate, each behind what it needs before it', async (t) => {
  const burst = { speed: { upBps: 10e6, downBps: 40e6 }, threshold: { upBps: 4e6, downBps: 15e6 }, seconds: 8 };
  const least = { upBps: 1e6, downBps: 2e6 };
  t.equal(mikrotikRateLimit(speed, { burst }), '5M/20M 10M/40M 4M/15M 8/8');
  t.equal(mikrotikRateLimit(speed, { burst, priority: 3 }), '5M/20M 10M/40M 4M/15M 8/8 3');
  t.equal(mikrotikRateLimit(speed, { burst, priority: 3, least }), '5M/20M 10M/40M 4M/15M 8/8 3 1M/2M');
  t.equal(mikrotikRateLimit(speed, { priority: 1 }), '5M/20M 0/0 0/0 0/0 1');
  t.equal(mikrotikRateLimit(speed, { least }), '5M/20M 0/0 0/0 0/0 8 1M/2M');
  t.equal(mikrotikRateLimit(speed, { priority: 99 }), '5M/20M 0/0 0/0 0/0 8');
});

t.test('each vendor that knows numbers is told them in its unit and order', async (t) => {
  t.strictSame(numbers(rate('generic') ?? []), { '14122.7': 5_000_000, '14122.8': 20_000_000 });
  t.strictSame(numbers(rate('huawei') ?? []), {
    '2011.2': 5_000_000,
    '2011.3': 5_000_000,
    '2011.5': 20_000_000,
    '2011.6': 20_000_000,
  });
  t.strictSame(numbers(rate('zte') ?? []), {
    '3902.89': 5000,
    '3902.83': 20_000,
    '3902.228': 5000,
    '3902.233': 20_000,
  });
  t.strictSame(numbers(rate('edgeos') ?? []), { '14122.7': 5_000_000, '14122.8': 20_000_000 });
  t.strictSame(numbers(rate('cambium') ?? []), {
    '17713.26': 5000,
    '17713.27': 20_000,
    '14122.7': 5_000_000,
    '14122.8': 20_000_000,
  });
  t.strictSame(numbers(rate('coova') ?? []), { '14559.4': 5000, '14559.5': 20_000 });
  t.strictSame(numbers(rate('accel-ppp') ?? []), { '0.11': '20000/5000' });
});

t.test('a shape is told where the vendor has attributes for it', async (t) => {
  const burst = { speed: { upBps: 10e6, downBps: 40e6 }, threshold: speed, seconds: 8 };
  const least = { upBps: 1e6, downBps: 2e6 };
  t.match(numbers(nasProfile('huawei').rate?.(speed, { burst }) ?? []), {
    '2011.2': 5e6,
    '2011.3': 10e6,
    '2011.6': 40e6,
  });
  t.match(numbers(nasProfile('generic').rate?.(speed, { least }) ?? []), { '14122.5': 1e6, '14122.6': 2e6 });
});

t.test('each vendor that knows policies is told them by name', async (t) => {
  const told = (vendor: string, name: string, upName: string | null = null, before: string | null = null) =>
    nasProfile(vendor).named?.({ name, upName }, before === null ? null : { name: before, upName: null });
  t.strictSame(told('cisco', 'DOWN20', 'UP5'), [
    { vendor: 9, type: 1, value: 'subscriber:sub-qos-policy-in=UP5' },
    { vendor: 9, type: 1, value: 'subscriber:sub-qos-policy-out=DOWN20' },
  ]);
  t.equal(told('cisco', 'BOTH')?.[0]?.value, 'subscriber:sub-qos-policy-in=BOTH');
  t.strictSame(told('nokia', 'sla-20-5'), [{ vendor: 6527, type: 13, value: 'sla-20-5' }]);
  t.strictSame(told('huawei', 'q20'), [{ vendor: 2011, type: 31, value: 'q20' }]);
  t.strictSame(told('huawei', 'q20', 'q5'), [
    { vendor: 2011, type: 31, value: 'q5' },
    { vendor: 2011, type: 182, value: 'q20' },
  ]);
  t.strictSame(told('zte', 'd20', 'u5'), [
    { vendor: 3902, type: 94, value: 'u5' },
    { vendor: 3902, type: 82, value: 'd20' },
  ]);
  const activate = { vendor: 4874, type: 65, value: Uint8Array.of(1, ...Buffer.from('net(20m)')) };
  t.strictSame(told('juniper', 'net(20m)'), [activate]);
  t.strictSame(told('juniper', 'net(20m)', null, 'net(20m)'), [activate]);
  t.strictSame(
    told('juniper', 'net(20m)', null, 'net(2m)'),
    [{ vendor: 4874, type: 66, value: 'net(2m)' }, activate],
    'the service that ends is named first',
  );
});

t.test('whatever the speed, it is told as a limit that fits and is not faster', async () => {
  const bps = fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 10_000_000_000_000 }));
  const units: Readonly<Record<string, number>> = { zte: 1000, coova: 1000 };
  const told = vendors.flatMap((vendor) => {
    const { rate } = nasProfile(vendor);
    return rate && vendor !== 'mikrotik' && vendor !== 'accel-ppp' && vendor !== 'cambium' ? [{ vendor, rate }] : [];
  });
  fc.assert(
    fc.property(bps, bps, fc.constantFrom(...told), (upBps, downBps, { vendor, rate }) => {
      const unit = units[vendor] ?? 1;
      const fastest = Math.max(upBps, downBps);
      return rate({ upBps, downBps }).every(({ value }) => {
        const fits = typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 0xffff_ffff;
        // Less than one unit is told as one: zero would be no limit.
        return fits && (value * unit <= fastest || value === 1);
      });
    }),
  );
});

t.test('a speed beyond 32 bits is told as the fastest that fits', async (t) => {
  const fast = { upBps: 1, downBps: 10_000_000_000 };
  t.equal(rate('generic', fast)?.[1]?.value, 4_294_967_295);
  t.match(numbers(rate('huawei', fast) ?? []), { '2011.2': 1, '2011.5': 4_294_967_295 });
  t.match(numbers(rate('zte', fast) ?? []), { '3902.89': 1, '3902.83': 10_000_000 });
  t.strictSame(numbers(rate('accel-ppp', fast) ?? []), { '0.11': '10000000/1' });
});

t.test('what is left of a quota is told in 32 bits and how often they are full, and never as none', async (t) => {
  const quota = (vendor: string, totalBytes: number) => numbers(nasProfile(vendor).quota?.({ totalBytes }) ?? []);
  t.strictSame(quota('mikrotik', 10e9), { '14988.17': 10e9 % 2 ** 32, '14988.18': 2 });
  t.strictSame(quota('mikrotik', 2 ** 32), { '14988.17': 0, '14988.18': 1 });
  t.strictSame(quota('mikrotik', 0), { '14988.17': 1, '14988.18': 0 });
  t.strictSame(quota('coova', 5), { '14559.3': 5, '14559.23': 0 });
  t.strictSame(quota('cambium', 5e9), { '17713.155': 5e9 % 2 ** 32, '17713.156': 1 });
  t.strictSame(quota('huawei', 10_240), { '2011.15': 10 });
  t.strictSame(quota('huawei', 3), { '2011.15': 1 });
});

t.test('pools, lists and portals are named in the attributes of the vendor', async (t) => {
  const { pools, addressList, redirectUrl } = nasProfile('mikrotik');
  t.strictSame(textAttribute(pools.ipv4, 'home'), { vendor: 0, type: 88, value: 'home' });
  t.strictSame(addressList && textAttribute(addressList, 'garden'), { vendor: 14988, type: 19, value: 'garden' });
  t.equal(redirectUrl, null);
  t.equal(textAttribute(nasProfile('cisco').pools.ipv4, 'home').value, 'ip:addr-pool=home');
  t.equal(nasProfile('accel-ppp').addressList, null, 'its Filter-Id is the speed');
});

t.test('every vendor has its profile, an unknown one the generic', async (t) => {
  const all = ['accel-ppp', 'cambium', 'cisco', 'coova', 'edgeos', 'generic', 'huawei', 'juniper', 'mikrotik', 'nokia'];
  t.strictSame([...vendors].sort(), [...all, 'zte']);
  for (const vendor of vendors) {
    const profile = nasProfile(vendor);
    t.equal(profile.vendor, vendor);
    t.ok(profile.rate || profile.named, `${vendor} can be told a speed`);
    t.ok(profile.namings.length > 0 && !profile.gardenVerified);
    t.equal(profile.coaPort, vendor === 'cisco' ? 1700 : 3799);
  }
  for (const name of ['', 'abacus', 'toString', '__proto__']) t.equal(nasProfile(name).vendor, 'generic', name);
});

t.test('an access server with names is told the policy of the speed, else the next lower one', async (t) => {
  const policies = [
    { upBps: 1e6, downBps: 2e6, name: 'slow', upName: null },
    { upBps: 5e6, downBps: 20e6, name: 'basic', upName: null },
    { upBps: 10e6, downBps: 50e6, name: 'standard', upName: null },
  ];
  const nas = configuredNas({ vendor: 'nokia', policies });
  const told = (upBps: number, downBps: number) => nas.tell({ upBps, downBps });
  t.match(told(5e6, 20e6), { match: 'exact', attributes: [{ value: 'basic' }] });
  t.match(told(5e6, 49e6), { match: 'nearest', attributes: [{ value: 'basic' }] });
  t.match(told(4e6, 100e6), { match: 'nearest', attributes: [{ value: 'slow' }] }, 'no direction may be faster');
  t.match(told(100e6, 100e6), { match: 'nearest', attributes: [{ value: 'standard' }] });
  t.match(told(1, 1), { match: 'nearest', attributes: [{ value: 'slow' }] }, 'none is lower: the slowest');
  t.equal(nas.tell({ upBps: 5e6, downBps: 20e6 }), nas.tell({ upBps: 5e6, downBps: 20e6 }), 'it is remembered');
});

t.test(
  'without any policy an access server that wants names is told nothing, and numbers are no way around',
  async (t) => {
    for (const vendor of ['cisco', 'juniper', 'nokia']) {
      t.equal(configuredNas({ vendor }).tell(speed), null, vendor);
      t.equal(configuredNas({ vendor, speedWay: 'numbers' }).tell(speed), null, `${vendor} knows no numbers`);
    }
    t.equal(configuredNas({ vendor: 'huawei', speedWay: 'names' }).tell(speed), null);
    t.match(configuredNas({ vendor: 'huawei' }).tell(speed), { match: 'exact' });
    t.match(
      configuredNas({ vendor: 'mikrotik', speedWay: 'names' }).tell(speed),
      { match: 'exact' },
      'it knows no names',
    );
  },
);

t.test('what a session has now is named when it changes', async (t) => {
  const policies = [
    { upBps: 2e6, downBps: 2e6, name: 'net(2m,2m)', upName: null },
    { ...speed, name: 'net(20m,5m)', upName: null },
  ];
  const nas = configuredNas({ vendor: 'juniper', policies });
  t.match(nas.tell({ upBps: 2e6, downBps: 2e6 }, speed)?.attributes, [
    { type: 66, value: 'net(20m,5m)' },
    { type: 65 },
  ]);
});
