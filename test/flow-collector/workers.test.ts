// The worker threads of flow-collector as the main thread runs them: shared templates and addresses, restarts, deaths, floods.
import { createSocket, type Socket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { openAddressStore } from '#flow-collector/attribution/address-store.ts';
import { registerTrafficMetrics } from '#flow-collector/exporters/publish.ts';
import { type ExporterSettings, noExporters } from '#flow-collector/exporters/settings.ts';
import { registerCollectorMetrics } from '#flow-collector/metrics.ts';
import type { RowBatch } from '#flow-collector/rows/batches.ts';
import { createTemplateKeeper } from '#flow-collector/templates/keeper.ts';
import { readTemplates } from '#flow-collector/templates/template-file.ts';
import { flowWalFolder, flowWalRoot } from '#flow-collector/usage/usage.ts';
import { createFlowCounterBuffer, createWorkers } from '#flow-collector/workers.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { netflow5 } from '#test/support/netflow5.ts';
import { until } from '#test/support/wait.ts';
import { datagram9, dataSet, ip4, templateSet } from './wire/support/encode9.ts';

t.setTimeout(300_000);
const silent = createLogger('test', 'silent');
const edge: ExporterSettings = {
  exporters: [
    {
      tenantId: 1,
      id: 1,
      address: '127.0.0.1',
      role: 'edge',
      samplingRate: null,
      countDirection: 'both',
      totalsAreDeltas: false,
    },
  ],
  prefixes: [],
};
const fields = [
  [8, 4],
  [12, 4],
  [1, 4],
  [2, 4],
] as const;

type Options = { count?: number; exporters?: ExporterSettings; folder?: string; port?: number; script?: URL };

async function startWorkers(t: Test, options: Options = {}) {
  const { count = 2, exporters = edge, port = 0, script } = options;
  const folder = options.folder ?? mkdtempSync(path.join(tmpdir(), 'lastmile-flow-'));
  if (!options.folder) t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const templateFile = path.join(folder, 'templates.json');
  const registry = new Registry();
  const fatal: Error[] = [];
  const batches: RowBatch[] = [];
  const workers = createWorkers({
    count,
    settings: {
      addresses: ['127.0.0.1'],
      port,
      udpDriver: 'auto',
      receiveBufferBytes: 0,
      addressFile: path.join(folder, 'addresses.mdb'),
      redisUrl: 'redis://127.0.0.1:1',
      logLevel: 'silent',
    },
    walFolder: (index) => flowWalFolder(flowWalRoot(folder), 'node', index),
    exporters: () => exporters,
    templates: () => readTemplates(templateFile, silent),
    ownCounters: createFlowCounterBuffer(),
    registry,
    log: silent,
    onRows(batch, settled) {
      batches.push({ ...batch, buffer: batch.buffer.slice(0) });
      settled();
    },
    onFatal: (error) => fatal.push(error),
    ...(script ? { script } : {}),
  });
  registerTrafficMetrics(registry, workers.traffic);
  registerCollectorMetrics(registry, workers);
  const keeper = createTemplateKeeper({
    file: templateFile,
    ask: workers.askTemplates,
    told: workers.toldTemplates,
    log: silent,
  });
  const stop = async () => {
    await workers.stop();
    await keeper.stop();
  };
  t.teardown(stop);
  await workers.start();
  const metric = async (pattern: RegExp) => {
    const found = (await registry.metrics()).split('\n').filter((line) => pattern.test(line));
    return found.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };
  const rows = () => batches.reduce((sum, batch) => sum + batch.rows, 0);
  return { workers, folder, templateFile, fatal, batches, rows, metric, stop, send: senderTo(t, workers.port()) };
}

/** Sends from a source port of its own for each name: the kernel spreads source ports over the workers. */
function senderTo(t: Test, port: number) {
  const sockets = new Map<string, Socket>();
  t.teardown(() => {
    for (const socket of sockets.values()) socket.close();
  });
  return (from: string, datagram: Buffer) =>
    new Promise<void>((resolve, reject) => {
      const socket = sockets.get(from) ?? createSocket('udp4');
      sockets.set(from, socket);
      socket.send(datagram, port, '127.0.0.1', (error) => (error ? reject(error) : resolve()));
    });
}

const flows9 = (sequence: number, withTemplate: boolean, count = 1) =>
  datagram9(
    [
      ...(withTemplate ? [templateSet(256, fields)] : []),
      dataSet(
        256,
        fields,
        Array.from({ length: count }, () => [ip4('10.0.0.1'), ip4('203.0.113.1'), 100, 1]),
      ),
    ],
    { sequence, unixS: Math.floor(Date.now() / 1000) },
  );

t.test('a template that one worker learned serves all, and the next start', async (t) => {
  const first = await startWorkers(t);
  await first.send('the first port', flows9(0, true));
  await until(() => first.rows() === 1, 'its flow', 20_000);
  for (let port = 1; port <= 20; port++) await first.send(`port ${port}`, flows9(port, false));
  await until(
    () => first.rows() === 21,
    () => `the flows of 20 more source ports: ${first.rows()}`,
    20_000,
  );
  await until(() => first.metric(/^lastmile_flow_records_total/).then((n) => n === 21), 'all are counted', 20_000);
  t.equal(await first.metric(/^lastmile_flow_packets_total\{version="9"/), 21);
  t.match(first.workers.traffic(), [{ address: '127.0.0.1', packets: 21, records: 21, unattributed: 21 }]);
  t.equal(await first.metric(/^lastmile_flow_exporter_records_total\{exporter="127.0.0.1"/), 21);
  t.equal(await first.metric(/^lastmile_flow_exporters/), 1);
  t.equal(await first.metric(/^lastmile_flow_unattributed_total/), 21);
  await first.stop();
  t.match(JSON.parse(readFileSync(first.templateFile, 'utf8')), {
    format: 1,
    learned: [{ kind: 'template', id: 256 }],
  });
  t.strictSame(first.fatal, [], 'a stop that was asked for is no death');

  const second = await startWorkers(t, { folder: first.folder });
  for (let port = 1; port <= 10; port++) await second.send(`port ${port}`, flows9(port, false));
  await until(() => second.rows() === 10, 'flows without their template', 20_000);
  t.equal(await second.metric(/^lastmile_flow_unknown_template_total/), 0);
});

t.test('data that came before its template is decoded when another worker learns it', async (t) => {
  const { send, rows, metric } = await startWorkers(t, { count: 4 });
  for (let port = 0; port < 12; port++) await send(`port ${port}`, flows9(port, false));
  await until(async () => (await metric(/^lastmile_flow_unknown_template_total/)) === 12, 'all wait', 20_000);
  await send('port 0', flows9(12, true));
  await until(
    () => rows() === 13,
    () => `all are decoded: ${rows()}`,
    20_000,
  );
  await until(async () => (await metric(/^lastmile_flow_late_decoded_total/)) === 12, 'and counted as late', 20_000);
  t.pass('they are');
});

t.test('every worker knows the addresses on disk, and those that come; usage goes to its own log', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-flow-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const store = openAddressStore(path.join(folder, 'addresses.mdb'));
  t.teardown(() => store.close());
  const session = (id: number) => ({
    tenantId: 1,
    subscriptionId: id,
    sessionKey: `session ${id}`,
    incarnation: 1,
    framedIp: `10.0.0.${id}`,
    framedIpv6Prefix: '',
    delegatedIpv6Prefix: '',
    fromMs: Date.now() - 60_000,
    toMs: null,
  });
  await store.take(5, [session(1)], '1-0');
  const { workers, send, metric } = await startWorkers(t, { folder });
  await until(async () => (await metric(/^lastmile_flow_addresses/)) === 1, 'the one on disk', 20_000);
  workers.addresses(await store.take(5, [session(2)], '2-0'));
  await until(async () => (await metric(/^lastmile_flow_addresses/)) === 2, 'both', 20_000);
  for (let port = 0; port < 10; port++) {
    const flow = (src: string, dst: string, bytes: number) => ({ src, dst, bytes });
    const flows = [
      flow('10.0.0.1', '203.0.113.1', 100),
      flow('203.0.113.1', '10.0.0.2', 7),
      flow('10.9.9.9', '203.0.113.1', 5),
    ];
    await send(`port ${port}`, netflow5(flows, { sequence: 0, nowMs: Date.now(), engine: port }));
  }
  await until(
    async () => (await metric(/^lastmile_flow_usage_bytes_total\{direction="up"/)) === 1000,
    'uploads',
    20_000,
  );
  t.equal(await metric(/^lastmile_flow_usage_bytes_total\{direction="down"/), 70);
  t.equal(await metric(/^lastmile_flow_unattributed_total/), 10);
  await until(
    async () => (await metric(/^lastmile_flow_usage_appended_total/)) >= 1,
    'what a worker keeps in a registry of its own: on disk',
    20_000,
  );
});

t.test('exporters are what the operator says now', async (t) => {
  const { workers, send, rows, metric } = await startWorkers(t, { exporters: noExporters, count: 1 });
  const datagram = netflow5([{ src: '10.0.0.1', dst: '203.0.113.1', bytes: 5 }], { sequence: 0, nowMs: Date.now() });
  await send('a', datagram);
  await until(
    async () => (await metric(/dropped_total\{reason="unknown_exporter"/)) === 1,
    'a stranger’s is dropped',
    20_000,
  );
  await until(() => workers.traffic().length === 1, 'and it is listed', 20_000);
  t.match(workers.traffic(), [{ address: '127.0.0.1', tenantId: 0, exporterId: 0, packets: 1 }]);
  workers.configure(edge);
  await send('a', datagram);
  await until(() => rows() === 1, 'its flows are kept', 20_000);
  t.pass('they are');
});

t.test('datagrams that are no flows are counted by reason and make nobody a sender', async (t) => {
  const { workers, send, metric } = await startWorkers(t, { exporters: noExporters });
  for (const datagram of [Buffer.of(), Buffer.of(0), Buffer.from('hello'), Buffer.alloc(1400)])
    await send('a', datagram);
  await until(async () => (await metric(/dropped_total\{reason="bad_version"/)) === 4, 'all are counted', 20_000);
  await send('a', Buffer.of(0, 10, 0, 0));
  await send('a', Buffer.of(0, 9, 0, 1));
  await until(
    async () => (await metric(/dropped_total\{reason="(too_short|unsupported_version)"/)) === 2,
    'by reason',
    20_000,
  );
  t.strictSame(workers.traffic(), []);
  t.equal(await metric(/^lastmile_flow_packets_total\{version="other"/), 4);
});

t.test('a port in use is an error at the start, not a silent share', async (t) => {
  const { workers } = await startWorkers(t, { count: 1 });
  await t.rejects(startWorkers(t, { count: 1, port: workers.port() }), { code: 'EADDRINUSE' });
});

t.test('a worker that dies is told with its reason', async (t) => {
  const program = `
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', ({ type, id }) => {
      if (type === 'report') parentPort.postMessage({ type, id, report: { metrics: [] } });
      if (type === 'stop') parentPort.close();
    });
    parentPort.postMessage({ type: 'ready', port: 1, udpDriver: 'dgram' });
    setTimeout(() => { throw new Error('torn') }, 200);`;
  const script = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
  const { fatal } = await startWorkers(t, { count: 1, script });
  await until(() => fatal.length === 1, 'the death', 20_000);
  fatal.sort((a, b) => a.message.localeCompare(b.message));
  t.match(fatal[0], { message: 'flow worker 0 died', cause: { message: 'torn' } });
});
