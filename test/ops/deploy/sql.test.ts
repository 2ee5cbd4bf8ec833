// Every ClickHouse query of the dashboards, run over the real tables with a little usage in them.
import t from 'tap';
import type { ClickHouseClient } from '#ops/stores/clickhouse.ts';
import { startClickHouse } from '#test/support/clickhouse.ts';
import { sqlQueries } from './dashboards.ts';

const hourMs = 3600_000;
const nowMs = Date.now();
const range = { fromMs: nowMs - 24 * hourMs, toMs: nowMs, intervalS: 900 };
const instant = (ms: number) => new Date(ms).toISOString().replace('Z', '');

/** The macros of the plugin grafana-clickhouse-datasource and the formats of Grafana's variables, as far as the dashboards use them. */
function filledIn(sql: string): string {
  const seconds = (ms: number) => `toDateTime(${Math.floor(ms / 1000)})`;
  return sql
    .replace(/\$__timeFilter\((\w+)\)/g, `$1 >= ${seconds(range.fromMs)} AND $1 <= ${seconds(range.toMs)}`)
    .replace(/\$__timeInterval\((\w+)\)/g, `toStartOfInterval(toDateTime($1), INTERVAL ${range.intervalS} second)`)
    .replaceAll('$__interval_s', String(range.intervalS))
    .replace(/\$\{tenant:singlequote\}/g, "'1'")
    .replace(/\$\{subscription:singlequote\}/g, "'7'");
}

async function insertUsage(client: ClickHouseClient): Promise<void> {
  const session = { tenant_id: 1, subscription_id: 7, partition: 1, meter: 'radius', nas_id: 3, nas_instance: '3' };
  const record = {
    ...session,
    wal: 'w',
    part: 0,
    session_id: 's1',
    incarnation: 1,
    user_name: 'user7',
    framed_ip: '10.0.0.7',
  };
  const accounting = [1, 2, 3].map((position) => ({
    ...record,
    position,
    generation: 1,
    kind: position === 1 ? 'start' : 'interim',
    from_at: instant(nowMs - (5 - position) * hourMs),
    event_at: instant(nowMs - (4 - position) * hourMs),
    received_at: instant(nowMs - (4 - position) * hourMs + 250),
    up_total: position * 1e9,
    down_total: position * 1e10,
    up_delta: 1e9,
    down_delta: 1e10,
    flags: position === 2 ? 'reset,implausible' : '',
    state: '',
  }));
  const nobodys = { ...accounting[0]!, subscription_id: 0, position: 9, session_id: 's2', user_name: 'stranger' };
  // Written again by a later generation: it replaces itself and counts once.
  const again = { ...accounting[0]!, generation: 2 };
  await client.insert({ table: 'accounting', format: 'JSONEachRow', values: [...accounting, nobodys] });
  await client.insert({ table: 'accounting', format: 'JSONEachRow', values: [again] });
  const flow = {
    batch: 'b',
    tenant_id: 1,
    subscription_id: 7,
    peer_subscription_id: 0,
    exporter: '::ffff:192.0.2.1',
    exporter_id: 1,
    version: 9,
    received_at: instant(nowMs - hourMs),
    started_at: instant(nowMs - hourMs - 1000),
    ended_at: instant(nowMs - hourMs),
    protocol: 6,
    tcp_flags: 0,
    tos: 0,
    packets: 10,
    in_if: 1,
    out_if: 2,
    src_as: 64500,
    dst_as: 0,
    src_nat: '::',
    dst_nat: '::',
  };
  const down = {
    direction: 'down',
    src: '::ffff:203.0.113.5',
    dst: '::ffff:10.0.0.7',
    src_port: 443,
    dst_port: 50_000,
  };
  const up = { direction: 'up', src: '::ffff:10.0.0.7', dst: '2001:db8::1', src_port: 50_001, dst_port: 53 };
  await client.insert({
    table: 'flows',
    format: 'JSONEachRow',
    values: [
      { ...flow, ...down, bytes: 5000, sampling_rate: 1 },
      { ...flow, ...up, bytes: 100, sampling_rate: 10 },
    ],
  });
}

async function insertLogins(client: ClickHouseClient): Promise<void> {
  const login = {
    ...{
      tenant_id: 1,
      subscription_id: 7,
      user_name: 'user7',
      nas_id: 3,
      method: 'pap',
      node: 'n',
      worker: 0,
      count: 1,
    },
    ...{ at: instant(nowMs - hourMs), result: 'reject', reason: 'wrong_password' },
  };
  const values = [
    ...[login, { ...login, sequence: 1 }, { ...login, sequence: 2, test: true }],
    { ...login, sequence: 3, reason: 'unknown_user', user_name: 'stranger', subscription_id: 0 },
    { ...login, sequence: 4, result: 'accept', reason: '' },
  ];
  await client.insert({ table: 'logins', format: 'JSONEachRow', values });
}

t.setTimeout(180_000);

t.test('queries over accounting and flows', { timeout: 180_000 }, async (t) => {
  const clickhouse = await startClickHouse(t);
  await insertUsage(clickhouse.client);
  await insertLogins(clickhouse.client);
  const rowsOf = async (sql: string) =>
    (await clickhouse.client.query({ query: filledIn(sql), format: 'JSONEachRow' })).json<Record<string, unknown>>();

  await t.test('every query runs and shows something', async (t) => {
    t.ok(sqlQueries.length > 0);
    for (const { at, text } of sqlQueries) {
      t.notMatch(filledIn(text), /\$/, `${at} uses only macros that are known here`);
      try {
        t.ok((await rowsOf(text)).length > 0, `${at} shows something`);
      } catch (error) {
        t.fail(`${at}: ${error}\n${filledIn(text)}`);
      }
    }
  });

  await t.test('a panel that draws over time gives a time first, in order, and numbers', async (t) => {
    for (const { at, text, overTime } of sqlQueries) {
      if (!overTime) continue;
      const rows = await rowsOf(text);
      t.equal(Object.keys(rows[0]!)[0], 'time', at);
      const times = rows.map(({ time }) => String(time));
      t.strictSame(times, times.toSorted(), `${at} is in order`);
    }
  });

  await t.test('what is shown is what was counted', async (t) => {
    const shown = async (title: string) => rowsOf(sqlQueries.find(({ at }) => at.includes(`: ${title} A`))!.text);
    t.strictSame(await shown('Bytes down'), [{ down: '30000000000' }], 'a record that was written again counts once');
    t.strictSame(await shown('Of nobody'), [{ unattributed: '11000000000' }]);
    t.match(await shown('Top talkers'), [{ subscription: '7', user: 'user7', total: '33000000000' }]);
    t.match(await shown('Top talkers by flows'), [{ subscription: '7', down: '5000', up: '1000', sampled: true }]);
    t.match(await shown('Whom it talks to'), [
      { remote: '203.0.113.5', asn: 64500, total: '5000' },
      { remote: '2001:db8::1', total: '1000' },
    ]);
    t.match(await shown('Rejects by reason, from the auth log'), [
      { reason: 'unknown_user', rejects: '1' },
      { reason: 'wrong_password', rejects: '2' },
    ]);
    t.match(await shown('Names rejected most'), [
      { user: 'user7', rejects: '2', reason: 'wrong_password' },
      { user: 'stranger' },
    ]);
    t.strictSame((await shown('Flags')).map(({ flag }) => flag).sort(), ['implausible', 'reset']);
  });
});
