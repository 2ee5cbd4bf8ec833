// The functions of several versions on one server, as during an upgrade: each node calls its own, and old ones go when nobody uses them.
import t from 'tap';
import { functionName, libraryCode, libraryName, removeUnusedLibraries } from '#policy/ledger/library.ts';
import { callOf, ledgerOn, recordAt, storeForTest } from './ledger-under-test.ts';

const noon = Date.UTC(2026, 2, 4, 12);
const dayMs = 86_400_000;
/** As it was named before names had a version. */
const older = `#!lua name=lastmile_v1
redis.register_function('accounting_apply', function() return 'older' end)`;

for (const cluster of [false, true]) {
  t.test(cluster ? 'in a cluster of three primaries' : 'on a single server', async (t) => {
    const store = await storeForTest(t, { cluster });
    const loadOlder = () => Promise.all(store.primaries().map((primary) => primary.function('LOAD', 'REPLACE', older)));
    const libraries = async () => {
      const listed = await Promise.all(store.primaries().map((primary) => primary.function('LIST')));
      return listed.map((ofOne) =>
        (ofOne as string[][]).map((fields) => fields[fields.indexOf('library_name') + 1]).sort(),
      );
    };
    const everywhere = (...names: string[]) => store.primaries().map(() => names);

    await t.test('nodes of two versions do not replace each other’s functions', async (t) => {
      await loadOlder();
      const isp = await ledgerOn(t, store);
      await loadOlder();
      t.equal((await isp.apply(recordAt(noon, { kind: 'start' }))).kind, 'applied');
      t.equal(await store.primaries()[0]!.fcall('accounting_apply', 0), 'older');
      t.strictSame(await libraries(), everywhere(libraryName, 'lastmile_v1'));
    });

    await t.test('one that nobody has loaded for a week goes; who still needs it loads it again', async (t) => {
      const isp = await ledgerOn(t, store);
      const nowMs = Date.now();
      await removeUnusedLibraries(store.redis, nowMs);
      await removeUnusedLibraries(store.redis, nowMs + 6 * dayMs);
      t.strictSame(await libraries(), everywhere(libraryName, 'lastmile_v1'));
      await removeUnusedLibraries(store.redis, nowMs + 8 * dayMs);
      t.strictSame(await libraries(), everywhere(libraryName));
      await Promise.all(store.primaries().map((primary) => primary.function('DELETE', libraryName)));
      const record = recordAt(noon, { kind: 'start' });
      const lane = { walId: 'w', previous: 0, position: 10, generation: 1 };
      t.match(await isp.ledger.apply(callOf(record, lane)), { kind: 'applied' });
      t.match(functionName('accounting_apply'), /^accounting_apply_[\da-f]{12}$/);
    });
  });
}

t.test('no file registers a function by a name that another version has too', async (t) => {
  t.equal(libraryCode().match(/redis\.register_function/g)?.length, 1, 'ledger.register does');
});
