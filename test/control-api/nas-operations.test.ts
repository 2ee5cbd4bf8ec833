// Maintenance windows and drains of access servers in the API.
import t from 'tap';
import type { LiveSession } from '#policy/ledger/types.ts';
import { apiForTest, type Body, makeTenant } from './api.ts';

const minute = 60_000;
const hour = 60 * minute;

t.test('operating access servers', async (t) => {
  const api = await apiForTest(t);
  const tenantId = await makeTenant(api, 'fiber');
  const call = await api.signIn('admin@fiber.example', 'fiber');
  const ok = async (method: string, url: string, body?: unknown): Promise<Body> => {
    const reply = await call(method, url, body);
    if (reply.status >= 300) throw new Error(`${method} ${url}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return reply.body;
  };
  const at = (fromNowMs: number) => new Date(api.clock.nowMs + fromNowMs).toISOString();
  const nas = (await ok('POST', '/nas', { name: 'tower', address: '192.0.2.1', secret: 's' })).id;
  const refused = async (method: string, url: string, body: unknown, status: number, code?: string) => {
    const reply = await call(method, url, body);
    t.match(reply, { status, ...(code ? { body: { code } } : {}) }, `${method} ${url} ${JSON.stringify(body)}`);
  };
  const edge = async () =>
    (await api.owner.query('SELECT maintenance, drain FROM feed_nas_operation WHERE id = $1', [nas])).rows[0];

  await t.test('a window is planned, runs, is shown beside the access server, and ends early', async (t) => {
    const planned = await ok('POST', `/nas/${nas}/maintenance`, {
      from: at(minute),
      until: at(3 * minute),
      note: 'fibre',
    });
    t.match(planned, { state: 'planned', note: 'fibre', from: at(minute) });
    t.match((await ok('GET', `/nas/${nas}`)).operations, { maintenance: { state: 'planned' }, drain: null });
    api.clock.nowMs += 2 * minute;
    t.match((await ok('GET', '/nas')).data, [{ operations: { maintenance: { id: planned.id, state: 'running' } } }]);
    await ok('DELETE', `/nas/${nas}/maintenance/${planned.id}`);
    t.match(await ok('GET', `/nas/${nas}/maintenance`), { data: [{ state: 'over', until: at(0) }] });
    t.equal((await ok('GET', `/nas/${nas}`)).operations.maintenance, null);
    t.equal((await edge()).maintenance.length, 1, 'the edge still knows when it ended');
    await refused('DELETE', `/nas/${nas}/maintenance/${planned.id}`, undefined, 404, 'maintenance_unknown');
    api.clock.nowMs -= 2 * minute;
  });

  await t.test('windows are bounded, and refused where another one stands', async (t) => {
    const url = `/nas/${nas}/maintenance`;
    await refused('POST', url, { until: at(24 * hour + 60_000) }, 400);
    await refused('POST', url, { until: at(-1) }, 400);
    await refused('POST', url, { from: at(-2 * 60_000), until: at(hour) }, 400);
    await refused('POST', url, { from: at(400 * 24 * hour), until: at(400 * 24 * hour + hour) }, 400);
    await refused('POST', '/nas/999/maintenance', { until: at(hour) }, 404, 'nas_unknown');
    const first = await ok('POST', url, { from: at(10 * hour), until: at(12 * hour) });
    await refused('POST', url, { from: at(11 * hour), until: at(13 * hour) }, 409, 'maintenance_overlaps');
    const next = await ok('POST', url, { from: at(12 * hour), until: at(13 * hour) });
    await ok('POST', url, { from: at(14 * hour), until: at(35 * hour) });
    await refused('POST', url, { from: at(35 * hour), until: at(59 * hour) }, 409, 'maintenance_too_long');
    await refused('POST', url, { from: at(35.5 * hour), until: at(40 * hour) }, 409, 'maintenance_too_long');
    await refused('POST', url, { from: at(13 * hour), until: at(14 * hour) }, 409, 'maintenance_too_long');
    const apart = await ok('POST', url, { from: at(36 * hour), until: at(60 * hour) });
    const long = (await ok('GET', url)).data[1];
    for (const { id } of [first, next, long, apart]) await ok('DELETE', `${url}/${id}`);
    t.equal((await ok('GET', url)).data.length, 1, 'what had not begun is taken back');
  });

  await t.test('a drain keeps logins away; its sessions are moved only by their number', async (t) => {
    const url = `/nas/${nas}/drain`;
    await refused('GET', url, undefined, 404, 'drain_unknown');
    await refused('POST', `${url}/move`, { count: 1, per_s: 1 }, 404, 'drain_unknown');
    api.ledger.sessions = Array.from({ length: 3 }, () => ({ tenantId, nasId: nas }) as LiveSession);
    t.match(await ok('POST', url), { answer: 'silence', open_sessions: 3, move: null });
    t.strictSame((await edge()).drain, { answer: 'silence', move: null });
    await refused('POST', url, {}, 409, 'drain_running');
    t.match((await ok('GET', `/nas/${nas}`)).operations.drain, { answer: 'silence', moving: false });
    await ok('POST', '/nas', { name: 'other', address: '192.0.2.2', secret: 's' });
    t.strictSame(
      (await ok('GET', '/nas?operated=true')).data.map(({ name }: Body) => name),
      ['tower'],
    );
    t.strictSame(
      (await ok('GET', '/nas?operated=false')).data.map(({ name }: Body) => name),
      ['other'],
    );

    await refused('POST', `${url}/move`, { count: 2, per_s: 5 }, 409, 'move_count_changed');
    await refused('POST', `${url}/move`, { count: 3, per_s: 101 }, 400);
    await refused('POST', `${url}/move`, { count: 10_000_000, per_s: 5 }, 409, 'move_count_changed');
    await refused('POST', `${url}/move`, { count: 54, per_s: 5 }, 409, 'move_count_changed');
    t.match(await ok('POST', `${url}/move`, { count: 3, per_s: 5 }), { move: { count: 3, per_s: 5, told: 0 } });
    const { move } = (await edge()).drain;
    t.match(move, { most: 3, per_s: 5 });
    api.told.set(move.id, 2);
    api.ledger.sessions.length = 1;
    t.match(await ok('GET', url), { open_sessions: 1, move: { told: 2, stopped_at: null } });
    await refused('POST', `${url}/move`, { count: 3, per_s: 5 }, 409, 'move_running');
    t.match((await ok('GET', '/nas?operated=true')).data, [{ operations: { drain: { moving: true } } }]);

    t.match(await ok('DELETE', `${url}/move`), { move: { told: 2, stopped_at: /Z$/ } });
    t.equal((await edge()).drain.move, null);
    await refused('DELETE', `${url}/move`, undefined, 404, 'move_unknown');
    await ok('POST', `${url}/move`, { count: 1, per_s: 1 });
    api.ledger.away = true;
    t.match(await ok('GET', url), { open_sessions: null, move: { told: null } });
    api.ledger.away = false;
    await ok('DELETE', url);
    t.equal((await edge()).drain, null);
    t.equal((await ok('GET', `/nas/${nas}`)).operations.drain, null);
  });

  await t.test('nothing is moved where nothing may be sent, or nobody is there', async (t) => {
    await ok('POST', `/nas/${nas}/drain`, { answer: 'reject', note: 'swap' });
    api.ledger.sessions = [];
    await refused('POST', `/nas/${nas}/drain/move`, { count: 5, per_s: 1 }, 409, 'move_count_changed');
    await ok('PATCH', `/nas/${nas}`, { mode: 'observe' });
    api.ledger.sessions = [{ tenantId, nasId: nas } as LiveSession];
    await refused('POST', `/nas/${nas}/drain/move`, { count: 5, per_s: 1 }, 409, 'move_not_enforced');
    t.match(await ok('GET', `/nas/${nas}/drain`), { answer: 'reject', note: 'swap', move: null });
  });

  await t.test('an operator sees it, an administrator changes it', async (t) => {
    const operator = await api.signIn('operator@fiber.example', 'fiber');
    t.equal((await operator('GET', `/nas/${nas}/drain`)).status, 200);
    t.equal((await operator('DELETE', `/nas/${nas}/drain`)).status, 403);
    t.equal((await operator('POST', `/nas/${nas}/maintenance`, { until: at(hour) })).status, 403);
  });
});
