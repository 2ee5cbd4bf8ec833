// Counters put together: IPv4 and IPv6 parts, units other than the byte.
import fc from 'fast-check';
import t from 'tap';
import { addOctets, inBytes, octetsOf, type WireOctets } from '#policy/nas/octets.ts';

const missing: WireOctets = { octets: null, gigawords: null };
const total = ({ octets, gigawords }: WireOctets) => (gigawords ?? 0) * 2 ** 32 + (octets ?? Number.NaN);

t.test('two counters with gigawords add up exactly', async () => {
  const bytes = fc.integer({ min: 0, max: 2 ** 51 });
  fc.assert(fc.property(bytes, bytes, (a, b) => total(addOctets(octetsOf(a), octetsOf(b))) === a + b));
});

t.test('two counters without gigawords wrap around as one', async (t) => {
  const near = { octets: 2 ** 32 - 10, gigawords: null };
  t.strictSame(addOctets(near, { octets: 15, gigawords: null }), { octets: 5, gigawords: null });
  t.strictSame(addOctets(near, { octets: 15, gigawords: 0 }), { octets: 5, gigawords: 1 });
});

t.test('a counter that was not sent adds nothing, and nothing stays nothing', async (t) => {
  const some = octetsOf(7);
  t.strictSame(addOctets(some, missing), some);
  t.strictSame(addOctets(missing, some), some);
  t.strictSame(addOctets(missing, missing), missing);
  t.strictSame(inBytes(missing, 1024), missing);
});

t.test('a counter of kilobytes becomes bytes', async (t) => {
  t.strictSame(inBytes({ octets: 5, gigawords: null }, 1024), { octets: 5120, gigawords: 0 });
  t.strictSame(inBytes({ octets: 2 ** 31, gigawords: 1 }, 1024), octetsOf((2 ** 32 + 2 ** 31) * 1024));
  t.strictSame(inBytes({ octets: 5, gigawords: null }, 1), { octets: 5, gigawords: null }, 'bytes stay as they came');
  t.strictSame(inBytes({ octets: 1, gigawords: 2 ** 31 }, 2 ** 20), missing, 'what no counter can be is none');
});
