// Exporters from PostgreSQL: followed within seconds, known without it, and not believed to be gone all at once.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import t, { type Test } from 'tap';
import type { ExporterSettings } from '#flow-collector/exporters/settings.ts';
import { createExporterSource } from '#flow-collector/exporters/source.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { databaseForTest } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';

t.setTimeout(120_000);
const silent = createLogger('test', 'silent');

async function source(t: Test, databaseUrl: string, file: string) {
  const changes: ExporterSettings[] = [];
  const time = { passedMs: 0 };
  const made = createExporterSource({
    databaseUrl,
    file,
    log: silent,
    everyMs: 20,
    onChange: (settings) => changes.push(settings),
    clock: { nowMs: Date.now, monotonicMs: () => time.passedMs },
  });
  await made.start();
  t.teardown(() => made.stop());
  return { source: made, changes, time, trouble: () => made.ready.check() };
}

t.test(
  'exporters and the addresses of access servers are read as lastmile_feed, and again when they change',
  async (t) => {
    const { ownerUrl, feedUrl } = await databaseForTest(t);
    const owner = new Client({ connectionString: ownerUrl });
    await owner.connect();
    t.teardown(() => owner.end());
    await owner.query("INSERT INTO tenant (slug, name) VALUES ('a', 'a')");
    await owner.query(
      "INSERT INTO nas (tenant_id, name, address, secret_cipher) VALUES (1, 'n', '10.0.0.0/8', '\\x00'), (1, 'm', '2001:db8::/32', '\\x00')",
    );
    const file = path.join(t.testdir(), 'exporters.json');
    const { source: read, changes, time, trouble } = await source(t, feedUrl, file);
    await until(() => trouble() === null, 'they are read', 20_000);
    t.strictSame(read.current(), {
      exporters: [],
      prefixes: [
        { tenantId: 1, prefix: '10.0.0.0/8' },
        { tenantId: 1, prefix: '2001:db8::/32' },
      ],
    });
    await owner.query(
      "INSERT INTO exporter (tenant_id, name, address, role, sampling_rate, count_direction) VALUES (1, 'bng', '192.0.2.1', 'edge', 100, 'both')",
    );
    await until(() => changes.length === 2, 'the exporter', 20_000);
    const [exporter] = changes[1]!.exporters;
    t.strictSame(exporter, {
      tenantId: 1,
      id: 1,
      address: '192.0.2.1',
      role: 'edge',
      samplingRate: 100,
      countDirection: 'both',
      totalsAreDeltas: false,
    });
    t.strictSame(JSON.parse(readFileSync(file, 'utf8')), changes[1]);
    await read.stop();

    await t.test('without PostgreSQL those of the last run are known', async (t) => {
      const away = await source(t, 'postgresql://lastmile_feed@127.0.0.1:1/none', file);
      t.strictSame(away.source.current().exporters, [exporter]);
      await until(() => /ECONNREFUSED/.test(String(away.trouble())), 'it says so', 20_000);
      t.strictSame(away.source.current().exporters, [exporter]);
      t.strictSame(away.changes, []);
    });

    await t.test('an answer without any is believed only after ten minutes', async (t) => {
      await owner.query('DELETE FROM exporter');
      const after = await source(t, feedUrl, file);
      await until(() => /no exporters any more/.test(String(after.trouble())), 'it says so', 20_000);
      t.strictSame(after.source.current().exporters, [exporter]);
      after.time.passedMs += 600_000;
      await until(() => after.source.current().exporters.length === 0, 'then it is believed', 20_000);
      await until(() => after.trouble() === null, 'and nothing is wrong', 20_000);
      t.equal(time.passedMs, 0);
    });

    await t.test('a damaged file is nothing to stop for', async (t) => {
      writeFileSync(file, '{"exporters": [');
      const after = await source(t, feedUrl, file);
      await until(() => after.trouble() === null, 'they are read', 20_000);
      t.equal(after.source.current().prefixes.length, 2);
    });
  },
);
