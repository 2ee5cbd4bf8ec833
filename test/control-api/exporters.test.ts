// Exporters of flows: their settings, what was received from them, and how senders become exporters by themselves.
import t from 'tap';
import { discover } from '#control-api/exporters/discovery.ts';
import type { ExporterTraffic } from '#ops/stores/exporter-traffic.ts';
import { apiForTest, makeTenant, makeUser, type TestApi } from './api.ts';

const traffic = (address: string, packets: number): ExporterTraffic => ({
  address,
  packets,
  records: 25 * packets,
  unknownTemplates: 1,
  lateDecoded: 1,
  lost: 2,
  timeClamped: 0,
  unattributed: 3,
  sampled: 0,
  lastSeenMs: Date.UTC(2027, 0, 2),
  countedSinceMs: Date.UTC(2027, 0, 1),
});

async function exportersOf(api: TestApi, slug: string) {
  const call = await api.signIn(`admin@${slug}.example`, slug);
  return (await call('GET', '/exporters')).body.data as { id: number; address: string; discovered: boolean }[];
}

t.test('an exporter is made, changed, shown with what it sent, and removed', async (t) => {
  const api = await apiForTest(t);
  await makeTenant(api, 'fiber');
  const call = await api.signIn('admin@fiber.example', 'fiber');
  const made = await call('POST', '/exporters', { name: 'bng', address: '::ffff:192.0.2.1', role: 'edge' });
  t.match(made, {
    status: 201,
    body: {
      name: 'bng',
      address: '192.0.2.1',
      role: 'edge',
      sampling_rate: null,
      count_direction: 'ingress',
      discovered: false,
    },
  });
  const { id } = made.body;
  t.match(await call('POST', '/exporters', { address: '192.0.2.1' }), {
    status: 409,
    body: { code: 'exporter_address_taken' },
  });
  t.match(await call('POST', '/exporters', { address: '2001:DB8:0::1' }), {
    status: 201,
    body: { name: '2001:db8::1', address: '2001:db8::1', role: 'core' },
  });
  t.match(await call('PATCH', `/exporters/${id}`, { sampling_rate: 1000, count_direction: 'both' }), {
    status: 200,
    body: { role: 'edge', sampling_rate: 1000, count_direction: 'both' },
  });
  t.match(await call('GET', `/exporters/${id}`), { status: 200, body: { traffic: null } }, 'nothing came from it yet');
  api.traffic.set('192.0.2.1', traffic('192.0.2.1', 7));
  t.match(await call('GET', `/exporters/${id}`), {
    body: {
      traffic: {
        packets: 7,
        records: 175,
        unknown_templates: 1,
        lost: 2,
        unattributed: 3,
        last_seen_at: '2027-01-02T00:00:00.000Z',
      },
    },
  });
  t.match((await call('GET', '/exporters?role=edge&search=bng')).body, {
    data: [{ id, traffic: { packets: 7 } }],
    pagination: { total: 1 },
  });
  api.ledger.away = true;
  t.match(await call('GET', '/exporters'), { status: 503, body: { code: 'ledger_unavailable' } });
  t.match(await call('PATCH', `/exporters/${id}`, { name: 'bng 1' }), { status: 200 }, 'settings need no Redis');
  api.ledger.away = false;
  t.match(await call('DELETE', `/exporters/${id}`), { status: 204 });
  t.match(await call('GET', `/exporters/${id}`), { status: 404, body: { code: 'exporter_unknown' } });
  for (const address of ['192.0.2.0/24', 'router', 'fe80::1%eth0', ''])
    t.equal((await call('POST', '/exporters', { address })).status, 400, address);
  const viewer = await api.signIn('viewer@fiber.example', 'fiber');
  t.equal((await viewer('GET', '/exporters')).status, 200);
  t.equal((await viewer('POST', '/exporters', { address: '192.0.2.9' })).status, 403);
});

t.test('with one tenant every sender becomes an exporter of it that only stores', async (t) => {
  const api = await apiForTest(t);
  await makeTenant(api, 'only');
  for (const address of ['198.51.100.1', '2001:db8::5']) api.traffic.set(address, traffic(address, 1));
  t.equal(await discover(api), 2);
  t.equal(await discover(api), 0, 'once');
  const found = await exportersOf(api, 'only');
  t.match(found, [
    { address: '198.51.100.1', role: 'core', discovered: true, traffic: { packets: 1 } },
    { address: '2001:db8::5', role: 'core', discovered: true },
  ]);
  const call = await api.signIn('admin@only.example', 'only');
  t.match(await call('PATCH', `/exporters/${found[0]!.id}`, { role: 'edge' }), { body: { discovered: false } });
  t.match((await call('GET', '/exporters?discovered=true')).body.data, { length: 1 });
  const { rows } = await api.owner.query("SELECT detail FROM audit_log WHERE action = 'exporters.discover'");
  t.match(rows, [{ detail: { discovered: ['198.51.100.1', '2001:db8::5'] } }], 'and the audit log tells it');
});

t.test('among several tenants a sender belongs to the one whose access server has its address', async (t) => {
  const api = await apiForTest(t);
  await makeTenant(api, 'east');
  await makeTenant(api, 'west');
  await makeUser(api, 'root@example.com', 'super_admin', null);
  const east = await api.signIn('admin@east.example', 'east');
  const west = await api.signIn('admin@west.example', 'west');
  await east('POST', '/nas', { name: 'prefix', address: '10.0.0.0/16', secret: 's' });
  await west('POST', '/nas', { name: 'beside it', address: '10.1.0.0/16', secret: 's' });
  await east('POST', '/nas', { name: 'shared', address: '10.3.0.1', nas_identifier: 'a', secret: 's' });
  await west('POST', '/nas', { name: 'shared', address: '10.3.0.1', nas_identifier: 'b', secret: 's' });
  for (const [address, packets] of [
    ['10.0.0.1', 1],
    ['10.1.0.1', 2],
    ['10.3.0.1', 3],
    ['203.0.113.9', 4],
  ] as const)
    api.traffic.set(address, traffic(address, packets));
  t.equal(await discover(api), 2);
  t.match(await exportersOf(api, 'east'), [{ address: '10.0.0.1' }]);
  t.match(await exportersOf(api, 'west'), [{ address: '10.1.0.1' }]);

  const root = await api.signIn('root@example.com');
  const unassigned = async () => (await root('GET', '/exporters/unassigned')).body.data;
  t.match(
    await unassigned(),
    [
      { address: '203.0.113.9', traffic: { packets: 4 } },
      { address: '10.3.0.1', traffic: { packets: 3 } },
    ],
    'what is nobody’s, or of two, waits for somebody who may see it',
  );
  t.equal((await east('GET', '/exporters/unassigned')).status, 403);
  t.match(await root('POST', '/exporters', { address: '203.0.113.9', role: 'edge' }, { 'x-tenant': 'west' }), {
    status: 201,
  });
  t.match(await unassigned(), { length: 1 });
  t.match(await east('POST', '/exporters', { address: '203.0.113.9' }), { status: 409 });
});

t.test('invented senders fill no table', async (t) => {
  const api = await apiForTest(t);
  await makeTenant(api, 'only');
  for (let i = 0; i < 1500; i++) {
    const address = `10.${i >> 8}.${i & 255}.1`;
    api.traffic.set(address, traffic(address, 1));
  }
  t.equal(await discover(api), 1000);
  await discover(api);
  const { rows } = await api.owner.query('SELECT count(*)::int AS n FROM exporter');
  t.equal(rows[0].n, 1000);
});
