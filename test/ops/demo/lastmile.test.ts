// What the demo sees of the Lastmile it runs on, and what it does there: metrics, the brake, a slow API, whether one runs at all.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { createDiary } from '#ops/demo/isp/meters.ts';
import { knowsExporters, readBacklog } from '#ops/demo/lastmile-metrics.ts';
import { createWatch } from '#ops/demo/lastmile-watch.ts';
import { findRunning } from '#ops/demo/stack/lastmile.ts';
import { createApi, type HeldBrake } from '#ops/demo/tenant/api.ts';
import { until } from '#test/support/wait.ts';

type Answer = { status?: number; headers?: Record<string, string>; body: string };

async function serve(t: { teardown(handler: () => unknown): unknown }, answer: (request: string) => Answer) {
  const server = createServer((request, response) => {
    const { status = 200, headers = {}, body } = answer(`${request.method} ${request.url}`);
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
}

const nowhere = 'http://127.0.0.1:1';

t.test('metrics', async (t) => {
  const url = await serve(t, () => ({
    body: [
      '# HELP lastmile_accounting_backlog_bytes Bytes',
      'lastmile_accounting_backlog_bytes{wal="0",process="aaa-server"} 120',
      'lastmile_accounting_backlog_bytes{wal="1",process="aaa-server"} 3',
      'lastmile_flow_exporter_packets_total{exporter="127.0.1.101",process="flow-collector"} 4',
    ].join('\n'),
  }));
  t.equal(await readBacklog(url), 123, 'summed over the logs');
  t.equal(await readBacklog(nowhere), null, 'not told');
  t.equal(await knowsExporters(url, ['127.0.1.101']), true);
  t.equal(await knowsExporters(url, ['127.0.1.101', '127.0.1.10']), false);
});

t.test('the watch', async (t) => {
  await t.test('counts what flow-collector has received since the first look', async (t) => {
    let records = 1000;
    const flowUrl = await serve(t, (request) => ({
      body: request.endsWith('/readyz')
        ? '{}'
        : `lastmile_flow_exporter_records_total{exporter="127.0.1.101"} ${records}
lastmile_flow_exporter_records_total{exporter="192.0.2.1"} 77
lastmile_flow_exporter_lost_total{exporter="127.0.1.101"} ${records / 100}`,
    }));
    const api = { heldBrake: async () => undefined, confirmBrake: async () => true };
    const diary = createDiary(() => 0);
    const exporters = ['127.0.1.101'];
    const watch = createWatch({ lastmile: { aaaUrl: nowhere, flowUrl }, api, diary, exporters, everyMs: 5 });
    t.teardown(() => watch.stop());
    await watch.start();
    t.equal(watch.flowRuns(), true);
    t.same(watch.flows(), { records: 0, lost: 0 });
    records = 1500;
    await until(() => watch.flows().records === 500, 'the new flows are seen');
    t.same(watch.flows(), { records: 500, lost: 5 });
    t.equal(watch.backlogBytes(), null);
  });

  await t.test('is the operator who confirms what the brake holds, after reading it', async (t) => {
    let held: HeldBrake | undefined = { id: 7, count: 3 };
    let looks = 0;
    const confirmed: { brake: HeldBrake; looks: number }[] = [];
    const api = {
      async heldBrake() {
        looks++;
        return held;
      },
      async confirmBrake(brake: HeldBrake) {
        confirmed.push({ brake, looks });
        // The count has grown since it was read: refused, and read again.
        if (confirmed.length === 1) {
          held = { id: 7, count: 4 };
          return false;
        }
        held = undefined;
        return true;
      },
    };
    const diary = createDiary(() => 0);
    const watch = createWatch({
      lastmile: { aaaUrl: nowhere, flowUrl: nowhere },
      api,
      diary,
      exporters: [],
      everyMs: 5,
    });
    t.teardown(() => watch.stop());
    await watch.start();
    await until(() => confirmed.length === 2, 'the operator has confirmed');
    t.match(confirmed, [{ brake: { count: 3 } }, { brake: { id: 7, count: 4 } }]);
    t.ok(confirmed[0]!.looks > 2);
    await until(() => diary.last(9).length === 2, 'it is noted');
    t.same(
      diary.last(9).map(({ text }) => text),
      [
        'the operator confirms what the brake holds: 4',
        'the brake holds changes back until an operator confirms their number',
      ],
    );
    t.equal(watch.flowRuns(), false);
  });
});

t.test('the API is asked again when it wants a pause, and its refusals are told', async (t) => {
  let asked = 0;
  const url = await serve(t, (request) => {
    if (request.includes('/subscriptions/9/')) return { status: 404, body: '{"code":"subscription_unknown"}' };
    if (asked++ === 0) return { status: 429, headers: { 'retry-after': '1' }, body: '{}' };
    const count = { up_bytes: 1, down_bytes: 2, total_bytes: 3 };
    return { body: JSON.stringify({ today: count, this_month: count, all_time: { ...count, up_bytes: 5 } }) };
  });
  const api = createApi(url, 'token');
  t.same(await api.usage(1), { today: { up: 1, down: 2 }, allTime: { up: 5, down: 2 } });
  t.equal(asked, 2);
  await t.rejects(api.usage(9), /GET \/subscriptions\/9\/usage: 404 .*subscription_unknown/);
});

t.test('where no data folder is, no Lastmile runs and none is made', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-demo-none-'));
  rmSync(folder, { recursive: true });
  t.equal(await findRunning({ LASTMILE_DATA_DIR: folder }, () => t.fail('nothing to wait for')), undefined);
});
