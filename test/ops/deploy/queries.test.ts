// Every PromQL expression of the dashboards and rules, run by a real Prometheus over the whole product after some traffic.
import { createSocket } from 'node:dgram';
import t from 'tap';
import { encodeExport } from '#ops/demo/flow/netflow9.ts';
import { startFreeradiusNas } from '#test/support/freeradius-nas.ts';
import { missing } from '#test/support/peers.ts';
import { startPrometheus, type TestPrometheus } from '#test/support/prometheus.ts';
import { radclient } from '#test/support/radclient.ts';
import { freePorts, type Stack, startStack } from '#test/support/stack.ts';
import { until } from '#test/support/wait.ts';
import { labelQueries, promQueries, type Query } from './dashboards.ts';
import { exposedNames, labelsOf, selectorsOf } from './exposed.ts';

const user = (name: string) => [`User-Name = "${name}"`, 'NAS-IP-Address = 127.0.0.1', 'NAS-Port = 1'];
const overQuota = ['Acct-Session-Time = 60', 'Acct-Output-Octets = 3000000000', 'Acct-Output-Gigawords = 2'];

/** Something of everything that a small healthy ISP does, so that most series have values. */
async function traffic(stack: Stack): Promise<void> {
  const auth = (name: string, password: string) =>
    radclient(stack.authTarget, 'auth', [...user(name), `User-Password = "${password}"`]);
  const acct = (name: string, session: string, status: string, more: readonly string[]) =>
    radclient(stack.acctTarget, 'acct', [
      ...user(name),
      `Acct-Session-Id = "${session}"`,
      `Acct-Status-Type = ${status}`,
      ...more,
    ]);
  await auth('user0', 'pass123');
  await auth('user1', 'wrong');
  await auth('nobody', 'pass123');
  await acct('user0', 'watched-0', 'Start', ['Acct-Session-Time = 0']);
  await acct('user0', 'watched-0', 'Interim-Update', overQuota);
  await acct('user1', 'watched-1', 'Interim-Update', ['Acct-Session-Time = 60']);
  await radclient(stack.acctTarget, 'acct', user('user2'), { secret: 'another secret', timeoutS: 1, retries: 1 });
  await stack.api('GET', '/customers');
}

const template = {
  id: 300,
  // Source, destination, octets, packets, protocol, ports, first and last switched: RFC 3954 §8.
  fields: [8, 12, 1, 2, 4, 7, 11, 22, 21].map((type) => ({
    type,
    length: type === 4 ? 1 : [7, 11].includes(type) ? 2 : 4,
  })),
};

/** A flow as a router tells it by NetFlow 9. */
async function flow(port: number, sequence: number): Promise<void> {
  const header = { sysUptimeMs: 100_000, unixS: Math.floor(Date.now() / 1000), sequence, sourceId: 1 };
  const [client, server] = [Uint8Array.of(10, 0, 0, 1), Uint8Array.of(192, 0, 2, 1)];
  const datagram = encodeExport(header, template, [[server, client, 5000, 5, 6, 443, 50_000, 98_000, 99_000]], true);
  const socket = createSocket('udp4');
  await new Promise((resolve) => socket.send(datagram, port, '127.0.0.1', resolve));
  socket.close();
}

async function tellCoaPort(stack: Stack, coaPort: number): Promise<void> {
  const { data } = (await stack.api('GET', '/nas')) as { data: { id: number }[] };
  for (const { id } of data) await stack.api('PATCH', `/nas/${id}`, { coa_port: coaPort });
}

/** As Grafana fills them in, with every value of a variable chosen. */
const filledIn = (expr: string) =>
  expr.replaceAll('$__rate_interval', '10s').replace(/\$(instance|nas|exporter)\b/g, '.*');

/** The labels of all series that a query selects; undefined when something it selects has none. */
async function labelsThere(prometheus: TestPrometheus, expr: string): Promise<ReadonlySet<string> | undefined> {
  const labels = new Set<string>();
  for (const { name, matchers } of selectorsOf(expr)) {
    const series = await prometheus.query(`last_over_time(${name}${matchers}[5m])`);
    if (series.length === 0) return undefined;
    for (const { metric } of series) for (const label of Object.keys(metric)) labels.add(label);
  }
  return labels;
}

t.setTimeout(300_000);

t.test(
  'dashboards and rules',
  { timeout: 300_000, skip: missing('prometheus', 'radclient', 'freeradius') },
  async (t) => {
    const [coaPort = 0, flowAdminPort = 0, netflowPort = 0] = await freePorts(3);
    const ports = { FLOW_ADMIN_PORT: String(flowAdminPort), NETFLOW_PORT: String(netflowPort) };
    const stack = await startStack(t, { ENFORCEMENT_SWEEP_S: '5', ...ports });
    await stack.seed(20);
    await startFreeradiusNas(t, { port: coaPort });
    await tellCoaPort(stack, coaPort);
    const addresses = {
      'aaa-server': stack.aaaAdminUrl,
      'control-api': stack.apiUrl,
      'flow-collector': `http://127.0.0.1:${flowAdminPort}`,
    };
    const hosts = Object.entries(addresses).map(([job, url]) => [job, new URL(url).host]);
    const prometheus = await startPrometheus(t, Object.fromEntries(hosts));
    const some = async (expr: string) => (await prometheus.query(expr)).length > 0;
    // Twice, so that there is something between two scrapes: a rate of the first is not seen.
    await until(() => some(`count(up == 1) == ${hosts.length}`), 'every process was scraped', 30_000);
    await traffic(stack);
    await flow(netflowPort, 1);
    await until(() => some('lastmile_enforcement_lag_seconds_count > 0'), 'a CoA was acknowledged', 30_000);
    await traffic(stack);
    await flow(netflowPort, 2);
    await until(() => some('sum(rate(lastmile_radius_replies_total[20s])) > 0'), 'a rate', 30_000);
    await until(() => some('sum(lastmile_online_subscribers) > 0'), 'a sweep has counted', 90_000);
    const rules = await until(async () => {
      const states = await prometheus.rules();
      return states.every(({ health }) => health !== 'unknown') && states;
    }, 'every rule was evaluated');
    const ruleQueries = rules.map(({ name, query }): Query => ({ at: `rule ${name}`, text: query }));
    const all = [...promQueries, ...ruleQueries];

    await t.test('every metric that a query names is exposed by a process', async (t) => {
      const known = new Set(['up', 'ALERTS']);
      for (const url of Object.values(addresses)) {
        for (const name of exposedNames(await (await fetch(`${url}/metrics`)).text())) known.add(name);
      }
      const unknown = all.flatMap(({ at, text }) =>
        selectorsOf(text)
          .filter(({ name }) => !known.has(name))
          .map(({ name }) => `${at}: ${name}`),
      );
      t.strictSame(unknown, []);
      for (const { at, text } of all) t.ok(selectorsOf(text).length > 0, at);
    });

    await t.test('every query runs, and shows something where there are series', async (t) => {
      let shown = 0;
      for (const { at, text } of all) {
        const expr = filledIn(text);
        try {
          const found = await prometheus.queryRange(expr, 30);
          const quiet =
            at.startsWith('rule ') || / [<>]=? /.test(expr) || (await labelsThere(prometheus, expr)) === undefined;
          if (!quiet) t.ok(found.length > 0, `${at} shows something`);
          if (found.length > 0) shown++;
        } catch (error) {
          t.fail(`${at}: ${error}\n${expr}`);
        }
      }
      t.ok(shown > promQueries.length / 2, `${shown} of ${all.length} queries have series`);
    });

    await t.test('every label that a query or a legend speaks of is one of its series', async (t) => {
      const wrong: string[] = [];
      for (const { at, text, legend } of all) {
        const there = await labelsThere(prometheus, filledIn(text));
        if (!there) continue;
        for (const label of labelsOf(text, legend)) if (!there.has(label)) wrong.push(`${at}: ${label}`);
      }
      t.strictSame(wrong, []);
    });

    await t.test('the lists of the variables are not empty', async (t) => {
      for (const { at, text } of labelQueries) {
        const [, series = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(text) ?? [];
        const values = await prometheus.get<string[]>(`label/${label}/values`, { 'match[]': series });
        t.ok(values.length > 0, `${at}: ${values}`);
      }
    });

    await t.test('a healthy product raises no alarm', async (t) => {
      const states = await prometheus.rules();
      t.strictSame(
        states.filter(({ health }) => health !== 'ok').map(({ name, lastError }) => [name, lastError]),
        [],
      );
      const raised = states.filter(({ state }) => state !== 'inactive');
      t.strictSame(
        raised.map(({ name, alerts }) => [name, alerts]),
        [],
      );
    });
  },
);
