// Random octets from a pool: each given once, also where one filling ends and the next begins.
import t from 'tap';
import { createRandomOctets } from '#aaa-server/radius/random-octets.ts';

t.test('no octets are given twice', async (t) => {
  const next = createRandomOctets(16, 4);
  const seen = new Set<string>();
  for (let i = 0; i < 100; i++) {
    const octets = next();
    t.equal(octets.length, 16);
    seen.add(octets.toString('hex'));
  }
  t.equal(seen.size, 100);
  t.notOk(seen.has('0'.repeat(32)));
});
