// `npm run restart flow-collector` under a steady load of flows: every one is stored, once.
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { createClickHouse } from '#ops/stores/clickhouse.ts';
import { openDataFolder, readRecord } from '#ops/stores/data-folder.ts';
import { type ClickHouseRecord, clickHouseUrl } from '#ops/stores/embedded/clickhouse.ts';
import { isLong } from '#test/support/effort.ts';
import { netflow5 } from '#test/support/netflow5.ts';
import { restart } from '#test/support/restart.ts';
import { startStack } from '#test/support/stack.ts';
import { until } from '#test/support/wait.ts';

t.setTimeout(500_000);

t.test('flow-collector is replaced under load: every flow is stored, once', { timeout: 400_000 }, async (t) => {
  const stack = await startStack(t);
  await stack.seed(1);
  await stack.api('POST', '/exporters', { name: 'bng', address: '127.0.0.1', role: 'core' });
  const known = path.join(stack.dataDir, 'flow-exporters.json');
  await until(() => readFileSync(known, 'utf8').includes('"core"'), 'flow-collector knows the exporter', 60_000);
  await until(async () => (await fetch(`${stack.flowAdminUrl}/readyz`)).ok, 'flow-collector is ready', 60_000);
  const record = readRecord<ClickHouseRecord>(openDataFolder(stack.dataDir), 'clickhouse');
  const clickhouse = createClickHouse(clickHouseUrl(record!), { name: 'test' });
  t.teardown(() => clickhouse.close());
  const sockets = Array.from({ length: 8 }, () => createSocket('udp4'));
  t.teardown(() => {
    for (const socket of sockets) socket.close();
  });
  const sequences = sockets.map(() => 0);
  let sent = 0;
  const timer = setInterval(() => {
    for (const [engine, socket] of sockets.entries()) {
      const sequence = sequences[engine]!;
      const flows = Array.from({ length: 20 }, (_, i) => ({
        ...{ src: '10.99.0.1', dst: '198.51.100.1', srcPort: (sequence + i) % 65_536, dstPort: 4445, bytes: 100 },
        inIf: Math.floor((sequence + i) / 65_536) * 8 + engine,
      }));
      socket.send(netflow5(flows, { sequence, nowMs: Date.now(), engine }), stack.netflowPort, '127.0.0.1');
      sequences[engine] = sequence + flows.length;
      sent += flows.length;
    }
  }, 20);
  t.teardown(() => clearInterval(timer));
  const more = (flows: number) => {
    const before = sent;
    return until(() => sent > before + flows, 'more flows', 30_000);
  };
  await more(5000);
  for (const step of isLong ? [[], ['FLOW_WORKERS=3'], ['FLOW_WORKERS=1']] : [['FLOW_WORKERS=3']]) {
    const before = stack.pidOf('flow-collector/main.ts');
    const { status, output } = await restart(stack, 'flow-collector', ...step);
    t.equal(status, 0, output);
    t.not(stack.pidOf('flow-collector/main.ts'), before);
    await more(5000);
  }
  clearInterval(timer);
  const stored = async () => {
    const answer = await clickhouse.query({
      query: 'SELECT count() AS n, uniqExact(src_port, in_if) AS u FROM flows WHERE dst_port = 4445',
      format: 'JSONEachRow',
    });
    return (await answer.json<{ n: string; u: string }>())[0]!;
  };
  await until(
    async () => Number((await stored()).u) >= sent,
    () => `${sent} flows are stored`,
    120_000,
  );
  t.strictSame(await stored(), { n: String(sent), u: String(sent) });
});
