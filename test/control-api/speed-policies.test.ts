// Access servers that know speeds by name: what is mapped, and what is refused because nobody gave its name.
import t from 'tap';
import { apiForTest, type Body, type Call, makeTenant } from './api.ts';

const basic = { name: 'Basic', bandwidth_down: 20, bandwidth_up: 5, monthly_fee: '10.00', suspend_action: 'reject' };
const cisco = { name: 'core', address: '192.0.2.1', secret: 's', vendor: 'cisco' };

async function fiber(t: { teardown(handler: () => unknown): unknown }) {
  const api = await apiForTest(t);
  await makeTenant(api, 'fiber');
  return { api, call: await api.signIn('admin@fiber.example', 'fiber') };
}

const policy = (down: number, up: number, name: string, more: object = {}): object => ({
  vendor: 'cisco',
  bandwidth_down: down,
  bandwidth_up: up,
  name,
  ...more,
});

async function made(call: Call, url: string, body: object): Promise<Body> {
  const reply = await call('POST', url, body);
  if (reply.status !== 201) throw new Error(`${url}: ${JSON.stringify(reply.body)}`);
  return reply.body;
}

t.test('what an access server cannot be told is refused when it is saved', async (t) => {
  const { api, call } = await fiber(t);
  const service = await made(call, '/services/internet', basic);
  const missing = { status: 422, body: { code: 'speed_policy_missing' } };

  await t.test('a NAS of a vendor with names needs one for every speed of every tariff', async (t) => {
    const refused = await call('POST', '/nas', cisco);
    t.match(refused, missing);
    t.match(refused.body.problems, [{ message: 'cisco has no policy for 20 Mbps down and 5 Mbps up' }]);
    t.same((await call('GET', '/nas')).body.data, [], 'nothing was kept');
    await made(call, '/speed-policies', policy(20, 5, 'DOWN-20M', { up_name: 'UP-5M' }));
    t.match(await call('POST', '/nas', cisco), { status: 201, body: { coa_port: null, speed_way: null } });
  });

  await t.test('a tariff needs names for its own speed and for each that its rules lead to', async (t) => {
    const rule = { window: 'day', threshold_gb: 10, effect: { kind: 'speed', bandwidth_down: 2, bandwidth_up: 1 } };
    const refused = await call('PATCH', `/services/${service.id}`, { bandwidth_down: 50, fup_rules: [rule] });
    t.match(refused, missing);
    t.same(
      refused.body.problems.map(({ message }: { message: string }) => message),
      ['cisco has no policy for 2 Mbps down and 1 Mbps up', 'cisco has no policy for 50 Mbps down and 5 Mbps up'],
    );
    t.match(await call('POST', '/services/internet', { ...basic, name: 'Plus', bandwidth_down: 100 }), missing);
    await made(call, '/speed-policies', policy(2, 1, 'SLOW'));
    await made(call, '/speed-policies', policy(50, 5, 'DOWN-50M'));
    t.match(await call('PATCH', `/services/${service.id}`, { bandwidth_down: 50, fup_rules: [rule] }), { status: 200 });
    t.match(await call('PATCH', `/services/${service.id}`, { description: 'new words need no names' }), {
      status: 200,
    });
  });

  await t.test('a name that is needed stays, one that is not may go', async (t) => {
    const { data } = (await call('GET', '/speed-policies?sort=id')).body;
    const [first, slow] = data;
    t.match(first, { vendor: 'cisco', bandwidth_down: 20, bandwidth_up: 5, name: 'DOWN-20M', up_name: 'UP-5M' });
    t.match(await call('DELETE', `/speed-policies/${slow.id}`), missing);
    t.match(await call('DELETE', `/speed-policies/${first.id}`), { status: 204 }, 'nobody has the old version');
    t.match(await call('PATCH', `/speed-policies/${slow.id}`, { name: 'SLOWER' }), {
      status: 200,
      body: { name: 'SLOWER', up_name: null },
    });
  });

  await t.test('a NAS changed to such a vendor needs the names too', async (t) => {
    const other = await made(call, '/nas', { ...cisco, name: 'edge', address: '192.0.2.2', vendor: 'mikrotik' });
    t.match(await call('PATCH', `/nas/${other.id}`, { vendor: 'juniper' }), missing);
    t.match(await call('PATCH', `/nas/${other.id}`, { vendor: 'cisco' }), { status: 200 });
    await made(call, '/speed-policies', { nas_id: other.id, bandwidth_down: 2, bandwidth_up: 1, name: 'OWN-SLOW' });
  });

  await t.test('the edge sees the names that are for the NAS, its own before those of the vendor', async (t) => {
    const { rows } = await api.owner.query(
      'SELECT n.name, f.policies FROM feed_nas_profile f JOIN nas n USING (id) ORDER BY n.name',
    );
    const names = (list: { name: string }[]) => list.map(({ name }) => name).sort();
    t.same(
      rows.map(({ name, policies }) => [name, names(policies)]),
      [
        ['core', ['DOWN-50M', 'SLOWER']],
        ['edge', ['DOWN-50M', 'OWN-SLOW']],
      ],
    );
  });

  await t.test('what is missing can be asked for', async (t) => {
    t.same((await call('GET', '/speed-policies/missing')).body.data, []);
    await api.owner.query("DELETE FROM speed_policy WHERE name LIKE '%SLOW%'");
    t.match((await call('GET', '/speed-policies/missing')).body.data, [
      { vendor: 'cisco', bandwidth_down: 2, bandwidth_up: 1 },
    ]);
  });
});

t.test('a change of a policy is a change of the access servers it is for', async (t) => {
  const { api, call } = await fiber(t);
  const ours = await made(call, '/nas', cisco);
  await made(call, '/nas', { ...cisco, name: 'other', address: '192.0.2.2', vendor: 'mikrotik' });
  const noted = async () => {
    const { rows } = await api.owner.query('DELETE FROM feed_change RETURNING kind, key');
    return rows.map(({ kind, key }) => `${kind} ${key}`);
  };
  await noted();
  const { id } = await made(call, '/speed-policies', policy(20, 5, 'A'));
  t.same(await noted(), [`nas ${ours.id}`]);
  await call('PATCH', `/speed-policies/${id}`, { name: 'B' });
  t.same(await noted(), [`nas ${ours.id}`]);
  await call('DELETE', `/speed-policies/${id}`);
  t.same(await noted(), [`nas ${ours.id}`]);
  await made(call, '/speed-policies', policy(20, 5, 'N', { vendor: 'nokia' }));
  t.same(await noted(), [], 'no NAS is of this vendor');
});

t.test('a policy is of one vendor or one NAS that knows names, and each speed has one', async (t) => {
  const { call } = await fiber(t);
  const nas = await made(call, '/nas', { ...cisco, vendor: 'mikrotik' });
  const refused = { status: 400, body: { code: 'validation_failed' } };
  t.match(await call('POST', '/speed-policies', policy(1, 1, 'x', { vendor: undefined })), refused);
  t.match(await call('POST', '/speed-policies', policy(1, 1, 'x', { nas_id: nas.id })), refused);
  t.match(await call('POST', '/speed-policies', policy(1, 1, 'x', { vendor: 'mikrotik' })), refused);
  t.match(await call('POST', '/speed-policies', policy(1, 1, 'x', { vendor: 'abacus' })), refused);
  t.match(await call('POST', '/speed-policies', policy(1, 1, 'x', { vendor: undefined, nas_id: nas.id })), refused);
  t.match(await call('POST', '/speed-policies', policy(1, 1, 'x', { vendor: 'nokia', up_name: 'y' })), refused);
  t.match(await call('POST', '/speed-policies', policy(1, 1, 'a\nb')), refused);
  await made(call, '/speed-policies', policy(1, 1, 'x'));
  t.match(await call('POST', '/speed-policies', policy(1, 1, 'y')), {
    status: 409,
    body: { code: 'speed_policy_taken' },
  });
  t.match(await call('PATCH', `/nas/${nas.id}`, { speed_way: 'names' }), refused);
});
