// Flows on the whole product: stored to the byte with their subscribers, counted where the meter is flow, whatever is killed.
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { createClickHouse } from '#ops/stores/clickhouse.ts';
import { openDataFolder, readRecord } from '#ops/stores/data-folder.ts';
import { type ClickHouseRecord, clickHouseUrl } from '#ops/stores/embedded/clickhouse.ts';
import { ip4, ip6 } from '#test/flow-collector/wire/support/encode9.ts';
import { type MadePacket, pcap } from '#test/flow-collector/wire/support/pcap.ts';
import { netflow5 } from '#test/support/netflow5.ts';
import { missing } from '#test/support/peers.ts';
import { radclient } from '#test/support/radclient.ts';
import { softflowd } from '#test/support/softflowd.ts';
import { type Stack, startStack } from '#test/support/stack.ts';
import { until } from '#test/support/wait.ts';

t.setTimeout(600_000);

type Subscriber = { readonly user: string; readonly id: number; readonly address: string };
type Counted = { readonly up: number; readonly down: number };

async function subscriptionOf(stack: Stack, user: string): Promise<number> {
  const found = (await stack.api('GET', `/subscriptions?search=${user}`)) as { data: { id: number }[] };
  return found.data[0]!.id;
}

async function countedOf(stack: Stack, { id }: Subscriber): Promise<Counted> {
  const usage = (await stack.api('GET', `/subscriptions/${id}/usage`)) as {
    all_time: { up_bytes: number; down_bytes: number };
  };
  return { up: usage.all_time.up_bytes, down: usage.all_time.down_bytes };
}

async function metric(stack: Stack, name: string): Promise<number> {
  const text = await (await fetch(`${stack.flowAdminUrl}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** Resolves when it was acknowledged. */
async function accounting(
  stack: Stack,
  { user, address }: Subscriber,
  status: string,
  more: readonly string[],
): Promise<void> {
  const attributes = [
    `User-Name = "${user}"`,
    `Acct-Session-Id = "flows-${user}"`,
    `Acct-Status-Type = ${status}`,
    'NAS-IP-Address = 127.0.0.1',
    'NAS-Port = 1',
    `Framed-IP-Address = ${address}`,
    ...more,
  ];
  await until(
    async () => (await radclient(stack.acctTarget, 'acct', attributes)).code === 'Accounting-Response',
    `the ${status} of ${user} is acknowledged`,
    60_000,
  );
}

t.test('flows', { timeout: 600_000, skip: missing('radclient', 'softflowd') }, async (t) => {
  const stack = await startStack(t);
  await stack.seed(3);
  // No CoA of this stack may reach the access server of another test.
  const [nas] = ((await stack.api('GET', '/nas')) as { data: { id: number }[] }).data;
  await stack.api('PATCH', `/nas/${nas!.id}`, { mode: 'observe' });
  const subscriber = async (user: string, address: string) => ({
    user,
    address,
    id: await subscriptionOf(stack, user),
  });
  await meteredByFlow(stack, 'flowing');
  const byFlow = await subscriber('flowing', '10.66.0.10');
  const byRadius = await subscriber('user1', '10.66.0.11');

  const record = readRecord<ClickHouseRecord>(openDataFolder(stack.dataDir), 'clickhouse');
  const clickhouse = createClickHouse(clickHouseUrl(record!), { name: 'test' });
  t.teardown(() => clickhouse.close());
  const rows = async <T>(query: string): Promise<T[]> =>
    (await clickhouse.query({ query, format: 'JSONEachRow' })).json<T>();
  const stored = async () => Number((await rows<{ n: string }>('SELECT count() AS n FROM flows'))[0]?.n ?? Number.NaN);

  await t.test('an edge exporter and the addresses of sessions are known', async (t) => {
    await stack.api('POST', '/exporters', { name: 'bng', address: '127.0.0.1', role: 'edge', count_direction: 'both' });
    const known = path.join(stack.dataDir, 'flow-exporters.json');
    await until(() => readFileSync(known, 'utf8').includes('"edge"'), 'flow-collector knows the exporter', 60_000);
    const tenMinutesAgo = Math.floor(Date.now() / 1000) - 600;
    const start = [`Event-Timestamp = ${tenMinutesAgo}`, 'Acct-Session-Time = 0'];
    const six = ['Framed-IPv6-Prefix = 2001:db8:66::/64'];
    await accounting(stack, byFlow, 'Start', [...start, ...six]);
    await accounting(stack, byRadius, 'Start', start);
    await until(
      async () => (await metric(stack, 'lastmile_flow_addresses')) === 3,
      'three addresses are known',
      60_000,
    );
    t.pass('they are');
  });

  let sentRows = 0;
  let expected: Counted = { up: 0, down: 0 };
  const countedAsExpected = async () => {
    let last: Counted | undefined;
    await until(
      async () => {
        last = await countedOf(stack, byFlow);
        return last.up >= expected.up && last.down >= expected.down;
      },
      () => `${JSON.stringify(last)} becomes ${JSON.stringify(expected)}`,
      60_000,
    );
    t.strictSame(await countedOf(stack, byFlow), expected);
  };

  await t.test(
    'what softflowd exports is in ClickHouse to the byte, and counted for the meter that is flow',
    async (t) => {
      const fromMs = Date.now() - 120_000;
      const made = capture(fromMs);
      const sum = (take: (packet: MadePacket) => boolean) =>
        made.filter(take).reduce((total, { bytes }) => total + bytes, 0);
      for (const version of [5, 9] as const) {
        const packets = version === 5 ? made.filter(({ src }) => src.length === 4) : made;
        await softflowd(pcap(packets), { port: stack.netflowPort, version });
        sentRows += version === 5 ? 6 : 7;
        await until(async () => (await stored()) === sentRows, `${sentRows} flows are stored`, 60_000);
      }
      const inOrder = (list: readonly object[]) => list.map((row) => JSON.stringify(row)).sort();
      const found = await rows<object>(
        `SELECT version, subscription_id, direction, sum(bytes) AS bytes FROM flows
         GROUP BY version, subscription_id, direction`,
      );
      const isFrom = (text: string) => (packet: MadePacket) => packet.src.equals(ip4(text));
      const isTo = (text: string) => (packet: MadePacket) => packet.dst.equals(ip4(text));
      const six = sum(({ src }) => src.length === 16);
      const flowUp = sum((packet) => isFrom(byFlow.address)(packet) && !isTo(byRadius.address)(packet));
      const flowDown = sum(isTo(byFlow.address));
      const radiusUp = sum(isFrom(byRadius.address));
      const local = sum((packet) => isFrom(byFlow.address)(packet) && isTo(byRadius.address)(packet));
      const nobodys = sum(isFrom('10.99.0.1'));
      const ofVersion = (version: number, more: number) => [
        { version, subscription_id: '0', direction: 'unknown', bytes: String(nobodys) },
        { version, subscription_id: String(byFlow.id), direction: 'up', bytes: String(flowUp + more) },
        { version, subscription_id: String(byFlow.id), direction: 'down', bytes: String(flowDown) },
        { version, subscription_id: String(byFlow.id), direction: 'local', bytes: String(local) },
        { version, subscription_id: String(byRadius.id), direction: 'up', bytes: String(radiusUp) },
      ];
      t.strictSame(inOrder(found), inOrder([...ofVersion(5, 0), ...ofVersion(9, six)]));
      const [peer] = await rows(
        "SELECT DISTINCT peer_subscription_id AS peer, exporter FROM flows WHERE direction = 'local'",
      );
      t.strictSame(peer, { peer: String(byRadius.id), exporter: '::ffff:127.0.0.1' });

      expected = { up: 2 * (flowUp + local) + six, down: 2 * flowDown };
      await countedAsExpected();
      t.strictSame(await countedOf(stack, byRadius), { up: 0, down: 0 }, 'the other meter counts that one');
      await accounting(stack, byRadius, 'Interim-Update', ['Acct-Input-Octets = 777', 'Acct-Output-Octets = 888']);
      await until(async () => (await countedOf(stack, byRadius)).up === 777, 'RADIUS counts', 60_000);
      await accounting(stack, byFlow, 'Interim-Update', ['Acct-Input-Octets = 777', 'Acct-Output-Octets = 888']);
      await accounting(stack, byRadius, 'Interim-Update', ['Acct-Input-Octets = 778', 'Acct-Output-Octets = 888']);
      await until(async () => (await countedOf(stack, byRadius)).up === 778, 'RADIUS counts on', 60_000);
      t.strictSame(await countedOf(stack, byFlow), expected, 'and not where the meter is flow');
    },
  );

  await t.test('the API shows what came from the exporter', async (t) => {
    const shown = await until(
      async () => {
        const { data } = (await stack.api('GET', '/exporters')) as { data: { traffic: { records: number } | null }[] };
        return data[0]?.traffic?.records === sentRows && data;
      },
      'the traffic of the exporter',
      60_000,
    );
    t.match(shown, [
      { name: 'bng', discovered: false, traffic: { lost: 0, unattributed: 2, sampled: 0, time_clamped: 0 } },
    ]);
  });

  const exporter = createLoad(stack, byFlow);
  t.teardown(exporter.close);

  await t.test('ClickHouse away and killed under load: no flow is lost, none is there twice', async (t) => {
    const before = sentRows;
    const load = exporter.start();
    await until(() => exporter.sent() > 3000, 'some flows are sent', 60_000);
    process.kill(stack.pidOf('clickhouse'), 'SIGKILL');
    const atKill = exporter.sent();
    await until(() => exporter.sent() > atKill + 6000, 'more flows are sent', 60_000);
    exporter.pause();
    await load;
    sentRows = before + exporter.sent();
    await until(async () => (await stored()) >= sentRows, `${sentRows} flows are stored`, 120_000);
    const [unique] = await rows<{ n: string; u: string }>(
      'SELECT count() AS n, uniqExact(src_port, dst_port, in_if, version) AS u FROM flows WHERE dst_port = 4444',
    );
    t.strictSame(unique, { n: String(exporter.sent()), u: String(exporter.sent()) });
    expected = { ...expected, up: expected.up + exporter.bytes() };
    await countedAsExpected();
    t.equal(await metric(stack, 'lastmile_flow_lost_total'), 0);
  });

  await t.test('kill -9 of flow-collector: what was on disk for the ledger is counted, once', async (t) => {
    const durableBefore = await metric(stack, 'lastmile_flow_usage_bytes_total');
    const bytesBefore = exporter.bytes();
    const load = exporter.start();
    const sentBefore = exporter.sent();
    await until(() => exporter.sent() > sentBefore + 1000, 'some flows are sent', 60_000);
    exporter.pause();
    await load;
    const sent = exporter.bytes() - bytesBefore;
    await until(
      async () => (await metric(stack, 'lastmile_flow_usage_bytes_total')) === durableBefore + sent,
      'everything is on disk for the ledger',
      60_000,
    );
    process.kill(stack.pidOf('flow-collector/main.ts'), 'SIGKILL');
    expected = { ...expected, up: expected.up + sent };
    await until(
      async () => (await fetch(`${stack.flowAdminUrl}/readyz`).catch(() => undefined))?.ok === true,
      'flow-collector is back',
      60_000,
    );
    await countedAsExpected();
    const after = exporter.bytes();
    const again = exporter.start();
    await until(() => exporter.bytes() > after, 'flows go on', 60_000);
    exporter.pause();
    await again;
    expected = { ...expected, up: expected.up + exporter.bytes() - after };
    await countedAsExpected();
    t.pass('and its flows find their subscriber at once');
  });
});

/** A subscription that is counted by its flows, and logs in. */
async function meteredByFlow(stack: Stack, user: string): Promise<void> {
  const { data } = (await stack.api('GET', '/services')) as { data: { id: number }[] };
  const customer = (await stack.api('POST', '/customers', { name: user })) as { id: number };
  await stack.api('POST', `/customers/${customer.id}/services`, {
    service_id: data[0]!.id,
    user_name: user,
    password: 'pass123',
    status: 'active',
    meter: 'flow',
  });
  const login = ['User-Password = "pass123"', 'NAS-IP-Address = 127.0.0.1', 'Message-Authenticator = 0x00'];
  await until(
    async () =>
      (await radclient(stack.authTarget, 'auth', [`User-Name = "${user}"`, ...login])).code === 'Access-Accept',
    'aaa-server knows the subscription',
    60_000,
  );
}

/** Six conversations over IPv4 and one over IPv6, each a flow of its own for softflowd. */
function capture(fromMs: number): MadePacket[] {
  const internet = '203.0.113.7';
  const conversation = (src: string, dst: string, port: number, bytes: number, packets: number) =>
    Array.from({ length: packets }, (_, i) => ({
      atMs: fromMs + i * 10,
      src: src.includes(':') ? ip6(src) : ip4(src),
      dst: dst.includes(':') ? ip6(dst) : ip4(dst),
      protocol: 17,
      srcPort: port,
      dstPort: port + 1,
      bytes: bytes + i,
    }));
  return [
    ...conversation('10.66.0.10', internet, 1000, 100, 40),
    ...conversation('10.66.0.10', internet, 1100, 1400, 7),
    ...conversation(internet, '10.66.0.10', 2000, 1500, 90),
    ...conversation('10.66.0.11', internet, 3000, 900, 30),
    ...conversation('10.66.0.10', '10.66.0.11', 4000, 500, 20),
    ...conversation('10.99.0.1', internet, 5000, 300, 10),
    ...conversation('2001:db8:66:0:0:0:0:5', '2001:db8:ffff:0:0:0:0:1', 6000, 700, 25),
  ].sort((a, b) => a.atMs - b.atMs);
}

/** An exporter of version 5 that sends flows of the subscriber without pause, each of its own ports, as long as it is asked to. */
function createLoad(stack: Stack, { address }: Subscriber) {
  const socket = createSocket('udp4');
  let sent = 0;
  let bytes = 0;
  let active = false;
  const send = (datagram: Buffer) =>
    new Promise<void>((resolve, reject) =>
      socket.send(datagram, stack.netflowPort, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
    );
  return {
    sent: () => sent,
    bytes: () => bytes,
    async start(): Promise<void> {
      active = true;
      while (active) {
        const flows = Array.from({ length: 30 }, (_, i) => ({
          src: address,
          dst: '203.0.113.9',
          srcPort: (sent + i) % 65_536,
          dstPort: 4444,
          inIf: Math.floor((sent + i) / 65_536),
          bytes: 1000 + i,
          packets: 3,
        }));
        await send(netflow5(flows, { sequence: sent, nowMs: Date.now(), engine: 1 }));
        sent += flows.length;
        bytes += flows.reduce((sum, flow) => sum + flow.bytes, 0);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    pause() {
      active = false;
    },
    close: () => socket.close(),
  };
}
