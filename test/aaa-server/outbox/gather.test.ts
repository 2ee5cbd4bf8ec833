// How much one batch of the outbox takes: entries of flow usage have hundreds of rows, and everything else waits for nobody.
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { everyPartition, gather, type Source } from '#aaa-server/outbox/gather.ts';
import type { OutboxRow } from '#policy/ledger/outbox-entry.ts';

const row: OutboxRow = {
  ...{ id: '1-0', wal: 'flow', position: 1, part: 0, generation: 1, tenantId: 1, subscriptionId: 1, partition: 0 },
  ...{ meter: 'flow', kind: 'flow', nasId: 0, nasInstance: '', sessionId: '', incarnation: 0, userName: '' },
  ...{ framedIp: '', fromMs: 0, eventAtMs: 1, receivedAtMs: 1, upTotal: 0, downTotal: 0, upDelta: 1, downDelta: 1 },
  ...{ flags: [], state: '' },
};

/** Every partition holds `entries` entries of `rows` rows. */
function sourceOf(entries: number, rows: number) {
  const left = new Map(everyPartition.map((partition) => [partition, entries]));
  const asked: number[] = [];
  const source: Source = async (partition, count) => {
    asked.push(partition);
    const given = Math.min(count, left.get(partition) ?? 0);
    left.set(partition, (left.get(partition) ?? 0) - given);
    const ids = Array.from({ length: given }, (_, n) => `${1000 + partition}-${asked.length}${n}`);
    return { ids, rows: Array.from({ length: given * rows }, () => row), unreadable: [] };
  };
  return { source, asked, left: () => [...left.values()].reduce((sum, count) => sum + count, 0) };
}

const never = () => false;

t.test('a batch of large entries ends soon after its rows', async (t) => {
  const { source, asked } = sourceOf(1000, 500);
  const { rows, receipt } = await gather(everyPartition, source, 2000, never);
  t.ok(rows >= 2000 && rows <= 16_000, `${rows} rows`);
  t.equal(asked.length, 8, 'and asks nobody for more');
  const ids = [...receipt.values()].flat();
  t.equal(ids.length * 500, rows, 'what was taken is in the receipt, and nothing else');
});

t.test('small entries of all partitions are taken until nothing is left', async (t) => {
  const { source, left } = sourceOf(10, 1);
  const { rows, receipt, oldestMs, body } = await gather(everyPartition, source, 50_000, never);
  t.equal(rows, 640);
  t.equal(left(), 0);
  t.strictSame(
    [...receipt.keys()].toSorted((a, b) => a - b),
    everyPartition,
  );
  for (const ids of receipt.values()) t.equal(new Set(ids).size, 10);
  t.equal(oldestMs, 1000);
  t.ok(body.length > 0);
});

t.test('what else is to be done is done meanwhile', async (t) => {
  const { source, asked } = sourceOf(4, 500);
  let gathering = true;
  let turns = 0;
  const others = (async () => {
    for (; gathering; turns++) await turn();
  })();
  const turnsAt = new Set<number>();
  const watched: Source = (partition, count) => {
    if (asked.length % 8 === 0) turnsAt.add(turns);
    return source(partition, count);
  };
  await gather(everyPartition, watched, 1e6, never);
  gathering = false;
  await others;
  t.equal(turnsAt.size, asked.length / 8, 'between any two reads of a few partitions');
});

t.test('a partition that cannot be read ends the batch, and what was given is kept', async (t) => {
  const { source } = sourceOf(10, 1);
  let given = 0;
  const failing: Source = async (partition, count) => {
    if (partition === 9) throw new Error('away');
    const read = await source(partition, count);
    given += read.ids.length;
    return read;
  };
  const { rows, failures, receipt } = await gather(everyPartition, failing, 50_000, never);
  t.match(failures, [{ message: 'away' }]);
  t.ok(given >= 32);
  t.equal(rows, given, 'nothing that was given is left out');
  t.notOk(receipt.has(9));
});
