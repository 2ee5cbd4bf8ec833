// Where a subscription's data lies: fixed for ever, also where many ids share a remembered place.
import { createHash } from 'node:crypto';
import t from 'tap';
import { partitionOf } from '#policy/ledger/keys.ts';

const expected = (tenantId: number, subscriptionId: number) =>
  (createHash('sha256').update(`${tenantId}:${subscriptionId}`).digest()[0] ?? 0) % 64;

t.test('the partition is the first octet of SHA-256 of tenant and subscription, asked for once or again', async (t) => {
  t.strictSame([partitionOf(1, 7), partitionOf(3, 2 ** 40)], [expected(1, 7), expected(3, 2 ** 40)]);
  for (let round = 0; round < 2; round++) {
    for (const tenantId of [0, 1, 2, 4_000_000_000]) {
      for (const id of [0, 1, 2, 131_071, 131_072, 131_073, 2 * 131_072 + 1, 2 ** 53 - 1]) {
        t.equal(partitionOf(tenantId, id), expected(tenantId, id), `${tenantId}:${id}`);
      }
    }
  }
});
