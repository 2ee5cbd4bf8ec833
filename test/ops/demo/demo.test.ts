// `npm run demo` from outside: a short run on a Lastmile of its own, and one on the Lastmile that is running.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import type { Summary } from '#ops/demo/summarize.ts';
import { missing } from '#test/support/peers.ts';
import { freePorts, startStack } from '#test/support/stack.ts';
import { until } from '#test/support/wait.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const skip = missing('redis-server');
/** An optional package: without it there are no history and no flows to compare with. */
const hasClickHouse = existsSync(path.join(root, 'node_modules/chdb'));

type Run = { code: number; out: string; err: string };

function demo(args: readonly string[], environment: Readonly<Record<string, string>>): Promise<Run> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['ops/run.mjs', 'ops/demo/main.ts', ...args],
      { cwd: root, env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment }, timeout: 200_000 },
      (error, out, err) => resolve({ code: error ? Number(error.code ?? -1) : 0, out, err }),
    );
  });
}

t.setTimeout(280_000);

t.test(
  'a run on its own Lastmile accounts for every byte and leaves nothing behind',
  { skip, timeout: 250_000 },
  async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-demo-test-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const [http, admin, auth, acct, netflow, flowAdmin] = await freePorts(6);
    const picture = path.join(folder, 'screen.svg');
    const run = await demo(['--subscribers', '8', '--duration', '8', '--picture', picture], {
      TMPDIR: folder,
      HTTP_PORT: String(http),
      AAA_ADMIN_PORT: String(admin),
      RADIUS_AUTH_PORT: String(auth),
      RADIUS_ACCT_PORT: String(acct),
      NETFLOW_PORT: String(netflow),
      FLOW_ADMIN_PORT: String(flowAdmin),
      AAA_WORKERS: '1',
      FLOW_WORKERS: '1',
    });
    t.equal(run.code, 0, run.out + run.err);
    t.match(run.out, /no Lastmile runs here/);
    t.match(run.out, /\n {2}proof +the API agrees for 8 of 8 subscribers: [1-9][\d ]+ bytes/);
    t.match(run.out, /\nall bytes accounted for\n/);
    t.notMatch(run.out + run.err, /error|demo:/);
    t.match(readFileSync(picture, 'utf8'), /LASTMILE/);
    const data = /creating PostgreSQL's data in (\S+)/.exec(run.out)?.[1];
    t.notOk(data === undefined || existsSync(data), `${data} is gone`);
    t.same(readdirSync(folder), ['screen.svg'], 'so is the temporary data folder');
  },
);

t.test('a run on the Lastmile that is running', { skip, timeout: 250_000 }, async (t) => {
  const stack = await startStack(t, { AAA_WORKERS: '1', FLOW_WORKERS: '1' });
  await until(async () => (await fetch(`${stack.flowAdminUrl}/readyz`)).ok, 'flow-collector is ready', 60_000);
  const port = (url: string) => url.split(':').at(-1) ?? '';
  const environment = {
    LASTMILE_DATA_DIR: stack.dataDir,
    HTTP_PORT: port(stack.apiUrl),
    AAA_ADMIN_PORT: port(stack.aaaAdminUrl),
    RADIUS_AUTH_PORT: port(stack.authTarget),
    RADIUS_ACCT_PORT: port(stack.acctTarget),
    NETFLOW_PORT: String(stack.netflowPort),
    FLOW_ADMIN_PORT: port(stack.flowAdminUrl),
  };
  const run = await demo(['--subscribers', '8', '--duration', '8', '--json'], environment);
  t.equal(run.code, 0, run.out + run.err);
  t.match(run.err, /using the Lastmile of/);
  const summary = JSON.parse(run.out);
  t.match(summary, { all_bytes_accounted_for: true, subscribers: 8, errors: [] } as Partial<Summary>);
  t.ok(summary.accounting.acknowledged_bytes > 1_000_000_000, 'something was counted');
  t.ok(summary.enforcement.crossings >= 1, 'somebody crossed the limit and was throttled');
  t.equal(summary.enforcement.acknowledged, summary.enforcement.requests);
  t.equal(summary.reboots.count, 1);
  const witnesses = hasClickHouse ? ['the API', 'the history in ClickHouse', 'flow-collector'] : ['the API'];
  t.match(
    summary.testimonies,
    witnesses.map((witness) => ({ witness, subscribers: 8, differences: [] })),
  );
  const usage = (await stack.api('GET', '/subscriptions?per_page=200')) as { data: { id: number }[] };
  let counted = 0;
  for (const { id } of usage.data) {
    const { all_time } = (await stack.api('GET', `/subscriptions/${id}/usage`)) as {
      all_time: { total_bytes: number };
    };
    counted += all_time.total_bytes;
  }
  t.equal(counted, summary.accounting.acknowledged_bytes, 'the API says so to others too');

  await t.test('refuses as the seed refuses', async (t) => {
    const refused = await demo(['--subscribers', '1', '--duration', '1'], { ...environment, BIND_HOST: '0.0.0.0' });
    t.match(refused, { code: 1, err: /BIND_HOST 0\.0\.0\.0 is not a loopback address: the demo does not run there/ });
  });
});
