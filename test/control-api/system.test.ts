// The health of the product as the API tells it, and the page at / as a browser gets it.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { freePort } from '#ops/stores/embedded/ports.ts';
import type { EnforcementAction } from '#policy/ledger/actions.ts';
import { apiForTest, makeTenant } from './api.ts';

/** Another process of the node, as far as its /readyz goes. */
async function neighbour(t: { teardown(handler: () => unknown): unknown }, status: number, body: string) {
  const server = createServer((_, response) => response.writeHead(status).end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('the API tells the health of every process and of what it depends on', async (t) => {
  const fine = await neighbour(t, 200, '{"ok":true,"checks":{"redis":"ok"}}');
  const waiting = await neighbour(t, 503, '{"ok":false,"checks":{"clickhouse":"ClickHouse does not answer"}}');
  const nonsense = await neighbour(t, 200, 'hello');
  const api = await apiForTest(t, {
    neighbours: [
      { name: 'fine', url: fine },
      { name: 'waiting', url: waiting },
      { name: 'nonsense', url: nonsense },
      { name: 'gone', url: `http://127.0.0.1:${await freePort()}` },
    ],
    ready: [{ name: 'redis', check: () => 'Redis does not answer: start it' }],
  });
  await makeTenant(api, 'fiber');
  const call = await api.signIn('viewer@fiber.example', 'fiber');
  const { status, body } = await call('GET', '/system');
  t.equal(status, 200);
  t.match(body.processes, [
    { name: 'control-api', ready: false, problem: '', checks: { redis: 'Redis does not answer: start it' } },
    { name: 'fine', ready: true, problem: '', checks: { redis: 'ok' } },
    { name: 'waiting', ready: false, problem: '', checks: { clickhouse: 'ClickHouse does not answer' } },
    { name: 'nonsense', ready: false, problem: /does not answer on its admin port/ },
    { name: 'gone', ready: false, problem: /does not answer on its admin port: connect ECONNREFUSED/ },
  ]);
  t.equal((await api.call('GET', '/system')).status, 401, 'not to strangers');
});

t.test('the last enforcement actions and the number online are those of the own tenant', async (t) => {
  const api = await apiForTest(t);
  const [ours, theirs] = [await makeTenant(api, 'ours'), await makeTenant(api, 'theirs')];
  const action = (tenantId: number, userName: string): EnforcementAction => ({
    ...{ atMs: Date.UTC(2027, 0, 1), tenantId, subscriptionId: 7, nasId: 1, userName, sessionId: 's', by: 'coa' },
    ...{ outcome: 'throttle:2000000/2000000:fup', result: 'nak', errorCause: '503', lagMs: 84 },
  });
  api.ledger.actions = [action(ours, 'mine'), action(theirs, 'not mine')];
  const call = await api.signIn('viewer@ours.example', 'ours');
  t.strictSame((await call('GET', '/enforcement/actions')).body, {
    data: [
      {
        ...{ at: '2027-01-01T00:00:00.000Z', subscription_id: 7, user_name: 'mine', nas_id: 1, session_id: 's' },
        ...{ by: 'coa', outcome: 'throttle:2000000/2000000:fup', result: 'nak', error_cause: '503', lag_ms: 84 },
      },
    ],
  });
  t.strictSame((await call('GET', '/sessions/count')).body, { online: 0 });
  api.ledger.away = true;
  t.match(await call('GET', '/sessions/count'), { status: 503, body: { code: 'ledger_unavailable' } });
  t.match(await call('GET', '/enforcement/actions'), { status: 503, body: { code: 'ledger_unavailable' } });
});

t.test('the page at / and its parts are served, and may load nothing from elsewhere', async (t) => {
  const api = await apiForTest(t);
  for (const [url, type] of [
    ['/', /html/],
    ['/page.css', /css/],
    ['/page.js', /javascript/],
  ] as const) {
    const { statusCode, headers } = await api.app.inject(url);
    t.equal(statusCode, 200, url);
    t.match(headers['content-type'], type);
  }
  const policy = String((await api.app.inject('/')).headers['content-security-policy']);
  t.match(policy, /default-src 'self'/);
  t.notMatch(policy, /unsafe|upgrade-insecure-requests/, 'plain HTTP inside a network must work');
});
