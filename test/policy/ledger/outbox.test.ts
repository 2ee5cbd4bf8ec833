// The outbox: one entry of every applied record, exact, read by consumers and removed when it is kept elsewhere.
import t, { type Test } from 'tap';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { createOutbox, type Outbox } from '#policy/ledger/outbox.ts';
import { decodeEntry, writtenBefore } from '#policy/ledger/outbox-entry.ts';
import { callOf, connect, ledgerOn, recordAt, type Store, storeForTest, tenantId } from './ledger-under-test.ts';

const noon = Date.UTC(2026, 2, 4, 12);
const partition = partitionOf(tenantId, 7);
const uuid = 'a'.repeat(32);

for (const cluster of [false, true]) {
  t.test(cluster ? 'in a cluster of three primaries' : 'on a single server', async (t) => {
    const store = await storeForTest(t, { cluster });
    const other = connect(store.server.port, cluster);
    t.teardown(() => other.disconnect());
    for (const [title, rule] of Object.entries(rules)) {
      await t.test(title, async (t) => {
        const isp = await ledgerOn(t, store);
        await rule(t, isp, createOutbox(store.redis, 'node'), createOutbox(other, 'other node'));
      });
    }
  });
}

type Isp = Awaited<ReturnType<typeof ledgerOn>>;

/** `count` interims of one session, a minute apart. */
async function interims(isp: Isp, count: number): Promise<void> {
  for (let i = 1; i <= count; i++) {
    const counters = { sessionTimeS: i * 60, upOctets: i, downOctets: i * 10 };
    await isp.apply(recordAt(noon + i * 60_000, { kind: 'interim', ...counters }));
  }
}

const rules: Record<string, (t: Test, isp: Isp, outbox: Outbox, other: Outbox) => Promise<void>> = {
  'an entry has the columns of its record': async (t, isp, outbox) => {
    const names = { userName: 'jörg', sessionId: 'sess\u00e9 1', classUuid: uuid, nasId: 3, nasInstance: '3/pop:1' };
    await isp.apply(recordAt(noon, { kind: 'start', ...names }));
    const bytes = { upOctets: 5, downOctets: 7, upGigawords: 2 ** 21 - 1, downGigawords: 1 };
    const record = recordAt(noon + 600_000, { kind: 'interim', sessionTimeS: 600, ...names, ...bytes });
    await isp.apply({ ...record, receivedAtMs: record.eventAtMs + 1500 });
    const { rows, unreadable } = await outbox.read(partition, 10);
    t.strictSame(unreadable, []);
    const { id, state, ...entry } = rows[1]!;
    t.match(id, /^\d+-\d+$/);
    t.ok(Buffer.from(state, 'base64').length > 150);
    const up = (2 ** 21 - 1) * 2 ** 32 + 5;
    t.strictSame(entry, {
      ...{ partition, wal: 'w', position: 20, part: 0, generation: 1, tenantId, subscriptionId: 7 },
      ...{ meter: 'radius', kind: 'interim', fromMs: noon, eventAtMs: noon + 600_000, receivedAtMs: noon + 601_500 },
      ...{ upDelta: up, downDelta: 2 ** 32 + 7, flags: ['implausible'], incarnation: 1 },
      ...{ nasId: 3, nasInstance: '3/pop:1', sessionId: 'sess\u00e9 1', userName: 'jörg', framedIp: '100.64.0.7' },
      ...{ upTotal: up, downTotal: 2 ** 32 + 7 },
    });
  },

  'every applied record has one entry, also when it adds nothing; what was not applied has none': async (t, isp) => {
    const interim = { kind: 'interim', sessionTimeS: 600, upOctets: 60, downOctets: 600 } as const;
    await isp.apply(recordAt(noon, { kind: 'start' }));
    await isp.apply(recordAt(noon + 600_000, interim));
    await isp.apply(recordAt(noon + 600_000, interim));
    await isp.apply(recordAt(noon + 300_000, { ...interim, sessionTimeS: 300, downOctets: 300 }));
    await isp.apply(recordAt(noon, { ...interim, subscriptionId: 0, sessionId: 'unknown' }));
    await isp.apply(recordAt(noon, { ...interim, sessionId: 'adopted' }), { adoptedAtMs: noon });
    const huge = { upOctets: 1, upGigawords: 2 ** 31 };
    await isp.apply(recordAt(noon, { kind: 'interim', sessionId: 'huge', sessionTimeS: 5, ...huge }));
    await isp.apply(recordAt(noon + 700_000, { kind: 'on', sessionId: '' }));
    const again = callOf(recordAt(noon, { kind: 'start' }), { walId: 'w', previous: 0, position: 10, generation: 2 });
    t.equal((await isp.both(again)).kind, 'duplicate');
    const entries = await isp.outbox();
    t.strictSame(
      entries.map(({ kind, subscriptionId, downDelta, flags }) => [kind, subscriptionId, downDelta, flags.join()]),
      [
        ['start', 7, 0, ''],
        ['interim', 7, 600, ''],
        ['interim', 7, 0, ''],
        ['interim', 7, 0, 'late'],
        ['interim', 0, 600, 'lost_start'],
        ['interim', 7, 0, 'lost_start,baseline'],
      ],
    );
  },

  'records that are applied in one call share an entry': async (t, isp, outbox) => {
    const calls = Array.from({ length: 20 }, (_, i) => {
      const record = recordAt(noon + i * 60_000, { kind: 'interim', sessionTimeS: i * 60, upOctets: i });
      return callOf(record, { walId: 'w', previous: i * 10, position: (i + 1) * 10, generation: 1 });
    });
    const answers = await Promise.all(calls.map((call) => isp.ledger.apply(call)));
    t.ok(answers.every(({ kind }) => kind === 'applied'));
    const { ids, rows } = await outbox.read(partition, 10);
    t.equal(ids.length, 2, 'at most 16 in one');
    t.strictSame(
      rows.map(({ position, upTotal, upDelta }) => [position, upTotal, upDelta]),
      calls.map(({ lane }, i) => [lane.position, i, i === 0 ? 0 : 1]),
    );
    t.ok((await outbox.size(partition)) > 20 * 150);
    await outbox.done(partition, ids);
    t.equal(await outbox.size(partition), 0);
  },

  'entries leave when all before them have been dealt with, and the size follows': async (t, isp, outbox) => {
    t.equal(await outbox.size(partition), 0);
    await isp.apply(recordAt(noon, { kind: 'start' }));
    await interims(isp, 5);
    const full = await outbox.size(partition);
    const { ids } = await outbox.read(partition, 4);
    t.equal(ids.length, 4);
    await outbox.done(partition, ids.slice(1, 3));
    t.equal(await isp.redis.xlen(keys.accounted(partition)), 6, 'the first is still being worked on');
    await outbox.done(partition, ids.slice(0, 1));
    t.equal(await isp.redis.xlen(keys.accounted(partition)), 3);
    t.equal(await outbox.size(partition), full / 2, 'they are of one length');
    await outbox.done(partition, ids.slice(3));
    t.equal(await isp.redis.xlen(keys.accounted(partition)), 2, 'what was not read stays');
    const rest = await outbox.read(partition, 10);
    await outbox.done(partition, rest.ids);
    t.equal(await isp.redis.xlen(keys.accounted(partition)), 0);
    t.equal(await outbox.size(partition), 0);
    await interims(isp, 8);
    t.equal((await outbox.read(partition, 10)).rows.length, 8);
  },

  'after a restart a consumer finds what it was given, and another takes over what became stale': async (
    t,
    isp,
    outbox,
    other,
  ) => {
    await interims(isp, 5);
    const given = (await outbox.read(partition, 3)).rows.map(({ position }) => position);
    t.strictSame((await other.unfinished(partition, 10)).rows, []);
    const found = await outbox.unfinished(partition, 2);
    const more = await outbox.unfinished(partition, 10, found.ids[1]!);
    t.strictSame(
      [...found.rows, ...more.rows].map(({ position }) => position),
      given,
    );
    t.strictSame((await other.claimStale(partition, 3_600_000, 10)).rows, [], 'not so soon');
    const taken = await other.claimStale(partition, 0, 10);
    t.strictSame(
      taken.rows.map(({ position }) => position),
      given,
    );
    t.equal(taken.next, null, 'that was all');
    const one = await outbox.claimStale(partition, 0, 1);
    const rest = await outbox.claimStale(partition, 0, 10, one.next!);
    t.strictSame(
      [...one.rows, ...rest.rows].map(({ position }) => position),
      given,
      'piece by piece, too',
    );
    await other.claimStale(partition, 0, 10);
    t.strictSame((await outbox.unfinished(partition, 10)).rows, []);
    t.equal((await other.read(partition, 10)).rows.length, 2);
  },

  'a store that came back empty is read anew': async (t, isp, outbox) => {
    await interims(isp, 2);
    await outbox.read(partition, 10);
    await isp.redis.del(keys.accounted(partition));
    t.strictSame((await outbox.claimStale(partition, 0, 10)).rows, []);
    await isp.redis.del(keys.accounted(partition));
    await isp.apply(recordAt(noon + 3_600_000, { kind: 'stop', sessionTimeS: 3600, downOctets: 99 }));
    t.equal((await outbox.read(partition, 10)).rows.length, 1);
  },

  'what cannot be read is told apart and can be removed': async (t, isp, outbox) => {
    await interims(isp, 1);
    const id = await isp.redis.xadd(keys.accounted(partition), '*', 'e', Buffer.from([3, 1, 1]));
    const { rows, unreadable } = await outbox.read(partition, 10);
    t.equal(rows.length, 1);
    t.strictSame(unreadable, [id]);
    await outbox.done(partition, [rows[0]!.id, ...unreadable]);
    t.equal(await isp.redis.xlen(keys.accounted(partition)), 0);
  },
};

t.test('an entry that is cut anywhere is unreadable or has its columns', async (t) => {
  const store: Store = await storeForTest(t);
  const isp = await ledgerOn(t, store);
  await interims(isp, 1);
  const [raw] = await isp.redis.xrangeBuffer(keys.accounted(partition), '-', '+');
  const bytes = raw![1][1]!;
  const whole = decodeEntry('1-1', partition, bytes)!;
  t.match(whole, [{ position: 10, userName: 'user7', framedIp: '100.64.0.7' }]);
  for (let length = 0; length < bytes.length; length++) {
    t.equal(decodeEntry('1-1', partition, bytes.subarray(0, length)), undefined, `cut to ${length}`);
  }
  // As it was written when an entry had one row.
  const first = asVersionOne(bytes);
  t.strictSame(decodeEntry('1-1', partition, first), whole);
  t.equal(writtenBefore(first), writtenBefore(bytes));
  for (let length = 0; length < first.length; length++) {
    const rows = decodeEntry('1-1', partition, first.subarray(0, length));
    if (rows) t.equal(rows[0]!.position, 10, `cut to ${length}`);
  }
});

/** Version, meter, kind, part; lengths of WAL and flags; generation, position, written before; then as in a row. */
function asVersionOne(bytes: Buffer): Buffer {
  const wal = bytes.subarray(16, 16 + bytes[1]!);
  const row = bytes.subarray(16 + wal.length);
  return Buffer.concat([
    ...[Buffer.of(1), row.subarray(3, 7), bytes.subarray(1, 2), row.subarray(7, 9), bytes.subarray(2, 9)],
    ...[row.subarray(9, 16), bytes.subarray(9, 16), row.subarray(16, 60), wal, row.subarray(60)],
  ]);
}
