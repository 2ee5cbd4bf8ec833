// Who held which addresses when, as the ledger tells it: on a single server and on a cluster.
import fc from 'fast-check';
import t, { type Test } from 'tap';
import {
  type AddressEvent,
  addressesEnd,
  beginning,
  decodeAddress,
  liveAddresses,
  readAddresses,
} from '#policy/ledger/addresses.ts';
import { keys, partitionOf } from '#policy/ledger/keys.ts';
import { runs } from '#test/support/effort.ts';
import { neighbour, nonsense } from './histories.ts';
import { type Change, ledgerOn, recordAt, storeForTest, tenantId } from './ledger-under-test.ts';

const noon = Date.UTC(2026, 2, 4, 12);
const partition = partitionOf(tenantId, 7);

for (const cluster of [false, true]) {
  t.test(cluster ? 'in a cluster of three primaries' : 'on a single server', async (t) => {
    const store = await storeForTest(t, { cluster });
    for (const [title, rule] of Object.entries(rules)) {
      await t.test(title, async (t) => rule(t, await history(t, store)));
    }
  });
}

async function history(t: Test, store: Parameters<typeof ledgerOn>[1]) {
  const isp = await ledgerOn(t, store);
  const at = (seconds: number, change: Change) => isp.apply(recordAt(noon + seconds * 1000, change));
  const read = (position = beginning, count = 1000) => readAddresses(isp.redis, partition, position, count);
  async function live() {
    const found: AddressEvent[] = [];
    for await (const page of liveAddresses(isp.redis, partition)) found.push(...page);
    return found;
  }
  const told = async () =>
    (await read()).events.map(({ framedIp, framedIpv6Prefix, fromMs, toMs }) => [
      framedIp || framedIpv6Prefix,
      (fromMs - noon) / 1000,
      toMs === null ? null : (toMs - noon) / 1000,
    ]);
  const fresh = () => ledgerOn({ strictSame: () => true }, store);
  return { ...isp, at, read, live, told, fresh };
}
type History = Awaited<ReturnType<typeof history>>;

const rules: Record<string, (t: Test, isp: History) => Promise<void>> = {
  'a session that opens and closes says which addresses it had, and since when': async (t, isp) => {
    const addresses = { framedIp: '', framedIpv6Prefix: '2001:db8::/64', delegatedIpv6Prefix: '2001:db8:1::/56' };
    await isp.at(0, { kind: 'start', ...addresses });
    await isp.at(300, { kind: 'interim', sessionTimeS: 300, ...addresses });
    const whole = {
      ...{ tenantId, subscriptionId: 7, sessionKey: isp.sessionKey(), incarnation: 1, ...addresses },
      ...{ fromMs: noon, toMs: null },
    };
    t.strictSame((await isp.read()).events, [whole]);
    t.strictSame(await isp.live(), [whole]);
    t.match(await isp.ledger.sessionsOf(tenantId, 7), [addresses]);
    await isp.at(600, { kind: 'stop', sessionTimeS: 600, ...addresses });
    t.strictSame((await isp.read()).events, [whole, { ...whole, toMs: noon + 600_000 }]);
    t.strictSame(await isp.live(), []);
  },

  'an address that changes holds from then on, the first one from the start': async (t, isp) => {
    await isp.at(0, { kind: 'start', framedIp: '' });
    t.strictSame(await isp.told(), [], 'without any address there is nothing to say');
    await isp.at(60, { kind: 'interim', sessionTimeS: 60, framedIp: '100.64.0.1' });
    await isp.at(120, { kind: 'interim', sessionTimeS: 120, framedIp: '' });
    await isp.at(180, { kind: 'interim', sessionTimeS: 180, framedIp: '100.64.0.2' });
    t.match(await isp.live(), [{ framedIp: '100.64.0.2', fromMs: noon + 180_000 }]);
    await isp.at(150, { kind: 'interim', sessionTimeS: 150, framedIp: '100.64.0.1' });
    await isp.at(240, { kind: 'stop', sessionTimeS: 240, framedIp: '100.64.0.2' });
    t.strictSame(await isp.told(), [
      ['100.64.0.1', 0, null],
      ['100.64.0.2', 180, null],
      ['100.64.0.2', 180, 240],
    ]);
  },

  'a lost start holds since Session-Time says, and a stop alone tells the whole session': async (t, isp) => {
    await isp.at(0, { kind: 'interim', sessionTimeS: 600 });
    await isp.at(0, { kind: 'stop', sessionId: 'b', sessionTimeS: 300, framedIp: '100.64.0.8' });
    t.strictSame(await isp.told(), [
      ['100.64.0.7', -600, null],
      ['100.64.0.8', -300, 0],
    ]);
  },

  'sessions that a restart, a newer login or silence ends are told too, and one that goes on': async (t, isp) => {
    await isp.at(0, { kind: 'start' });
    await isp.at(300, { kind: 'interim', sessionTimeS: 300 });
    await isp.at(400, { kind: 'on', sessionId: '' });
    await isp.at(600, { kind: 'interim', sessionTimeS: 600 });
    await isp.at(5000, { kind: 'start', framedIp: '100.64.0.9' });
    t.strictSame(await isp.told(), [
      ['100.64.0.7', 0, null],
      ['100.64.0.7', 0, 300],
      ['100.64.0.7', 300, null],
      ['100.64.0.7', 300, 600],
      ['100.64.0.9', 5000, null],
    ]);
  },

  'a session of nobody says that its addresses are nobody’s': async (t, isp) => {
    await isp.at(0, { kind: 'start', subscriptionId: 0, partition });
    t.match((await isp.read()).events, [{ subscriptionId: 0, framedIp: '100.64.0.7' }]);
  },

  'reading goes on from its position; what was trimmed away is a gap': async (t, isp) => {
    t.strictSame(await isp.read(), { events: [], position: beginning, atEnd: true, gap: false });
    t.equal(await addressesEnd(isp.redis, partition), beginning);
    for (let i = 0; i < 5; i++) await isp.at(i, { kind: 'start', sessionId: `s${i}`, framedIp: `100.64.0.${i}` });
    const first = await isp.read(beginning, 2);
    t.match(first, { events: [{ framedIp: '100.64.0.0' }, { framedIp: '100.64.0.1' }], atEnd: false, gap: false });
    const rest = await isp.read(first.position, 9);
    t.match(rest, { atEnd: true, gap: false });
    t.equal(rest.events.length, 3);
    t.equal(rest.position, await addressesEnd(isp.redis, partition));
    t.match(await isp.read(rest.position), { events: [], position: rest.position, atEnd: true, gap: false });
    await isp.redis.xtrim(keys.addresses(partition), 'MAXLEN', 2);
    t.match(await isp.read(rest.position), { gap: false });
    t.match(await isp.read(first.position), { gap: true });
    t.match(await isp.read(), { gap: true });
    await isp.redis.del(keys.addresses(partition));
    t.strictSame(await isp.read(rest.position), { events: [], position: beginning, atEnd: true, gap: true });
  },

  'all open sessions come in pages': async (t, isp) => {
    for (let i = 0; i < 450; i++) {
      await isp.ledger.apply({
        ...{
          record: recordAt(noon, { kind: 'start', sessionId: `s${i}` }),
          thresholds: [],
          planPeakBps: 0,
          meter: 'radius',
          meterSinceMs: null,
        },
        ...{ lane: { walId: 'w', previous: i, position: i + 1, generation: 1 }, adoptedAtMs: null },
        windows: { day: around, week: around, month: around },
      });
    }
    const sizes: number[] = [];
    for await (const page of liveAddresses(isp.redis, partition)) sizes.push(page.length);
    t.strictSame(sizes, [200, 200, 50]);
    t.equal(new Set((await isp.live()).map(({ sessionKey }) => sessionKey)).size, 450);
  },

  'whatever a network sends, the last event of each session says what holds now': async (t, isp) => {
    const some = fc.constantFrom('', '100.64.0.1', '100.64.0.2');
    const records = nonsense.chain((list) =>
      fc
        .array(some, { minLength: list.length, maxLength: list.length })
        .map((addresses) => list.map((record, index) => ({ ...record, framedIp: addresses[index]! }))),
    );
    await fc.assert(
      fc.asyncProperty(records, async (list) => {
        const own = await isp.fresh();
        for (const record of list) await own.apply(record);
        for (const place of new Set([7, neighbour].map((id) => partitionOf(tenantId, id)))) {
          const { events } = await readAddresses(own.redis, place, beginning, 10_000);
          const last = new Map(events.map((event) => [`${event.sessionKey} ${event.incarnation}`, event]));
          const open = [...last.values()].filter(({ toMs }) => toMs === null);
          const live: AddressEvent[] = [];
          for await (const page of liveAddresses(own.redis, place)) live.push(...page);
          const byKey = (list: AddressEvent[]) =>
            JSON.stringify(list.sort((a, b) => (a.sessionKey < b.sessionKey ? -1 : 1)));
          if (byKey(open) !== byKey(live)) throw new Error(`told ${byKey(open)}, but open are ${byKey(live)}`);
        }
      }),
      { numRuns: runs(15, 1500) },
    );
    t.pass('holds');
  },
};

const around = [{ fromMs: noon - 86_400_000, toMs: noon + 86_400_000 }];

t.test('fields that make no event are passed over', async (t) => {
  const fields = [
    'tenant',
    '1',
    'sub',
    '2',
    'ses',
    'ses:x',
    'inc',
    '1',
    'v4',
    '',
    'v6',
    '',
    'pd',
    '',
    'from',
    '5',
    'to',
    '',
  ];
  t.match(decodeAddress(fields), { tenantId: 1, subscriptionId: 2, fromMs: 5, toMs: null });
  for (let length = 0; length < 8; length++) t.equal(decodeAddress(fields.slice(0, length)), undefined);
  t.equal(decodeAddress(fields.map((text) => (text === '5' ? 'x' : text))), undefined);
});
