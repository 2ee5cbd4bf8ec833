// Attributes that operators add to replies: known to a dictionary, of the right type, and none that belongs to us.
import t from 'tap';
import { apiForTest, type Body, type Call, makeTenant } from './api.ts';

type Attribute = { name: string; value: string };
const pool: Attribute = { name: 'Framed-Pool', value: 'home' };

t.test('attributes that operators add to replies', async (t) => {
  const api = await apiForTest(t);
  await makeTenant(api, 'fiber');
  const call: Call = await api.signIn('admin@fiber.example', 'fiber');
  const made = async (url: string, body: object): Promise<Body> => {
    const reply = await call('POST', url, body);
    if (reply.status !== 201) throw new Error(`${url}: ${JSON.stringify(reply.body)}`);
    return reply.body;
  };
  const tariff = { name: 'Basic', bandwidth_down: 20, bandwidth_up: 5, monthly_fee: '10.00' };
  const nas = await made('/nas', { name: 'tower', address: '192.0.2.1', secret: 's', attributes: [pool] });

  await t.test('a NAS, a tariff and a subscription each have a list that a change replaces', async (t) => {
    t.same(nas.attributes, [pool]);
    const filter = { name: 'Filter-Id', value: 'office' };
    const service = await made('/services/internet', { ...tariff, attributes: [filter] });
    t.same(service.attributes, [filter]);
    const renamed = await call('PATCH', `/services/${service.id}`, { bandwidth_down: 30 });
    t.same(renamed.body.attributes, [filter], 'the next version of the tariff keeps them');
    const customer = await made('/customers', { name: 'Anna' });
    const sold = { service_id: service.id, user_name: 'anna', password: 'x', attributes: [filter, pool] };
    const subscription = await made(`/customers/${customer.id}/services`, sold);
    t.same(subscription.attributes, [filter, pool]);
    const path = `/subscriptions/${subscription.id}`;
    t.same((await call('PATCH', path, { attributes: [] })).body.attributes, []);
    t.same((await call('PATCH', path, { attributes: [pool] })).body.attributes, [pool]);
    const { rows } = await api.owner.query('SELECT attributes FROM feed_subscription_attributes WHERE id = $1', [
      subscription.id,
    ]);
    t.same(rows[0].attributes, [{ ...pool, vendor: 0, type: 88, octets: Buffer.from('home').toString('hex') }]);
  });

  await t.test('each value is written as its type is', async (t) => {
    const attributes = [
      { name: 'Mikrotik-Address-List', value: 'office' },
      { name: 'Framed-IP-Netmask', value: '255.255.255.255' },
      { name: 'Session-Octets', value: '1' },
    ];
    const reply = await call('PATCH', `/nas/${nas.id}`, { attributes });
    t.match(reply, { status: 422, body: { code: 'attribute_refused' } });
    t.same(
      reply.body.problems.map(({ path }: { path: string }) => path),
      ['/attributes/2'],
      'only what is wrong is told',
    );
    t.match(await call('PATCH', `/nas/${nas.id}`, { attributes: attributes.slice(0, 2) }), { status: 200 });
  });

  await t.test('nothing that belongs to the login, to accounting or to requests', async (t) => {
    const refused: [string, string][] = [
      ['Message-Authenticator', '0x00000000000000000000000000000000'],
      ['State', '0x01'],
      ['Proxy-State', '0x01'],
      ['Class', '0x01'],
      ['EAP-Message', '0x01'],
      ['Session-Timeout', '1'],
      ['Acct-Interim-Interval', '60'],
      ['User-Password', 'x'],
      ['NAS-IP-Address', '192.0.2.1'],
      ['Vendor-Specific', '0x00000009010300'],
      ['No-Such-Attribute', 'x'],
      ['Framed-IP-Address', 'not an address'],
      ['Filter-Id', 'x'.repeat(254)],
    ];
    for (const [name, value] of refused) {
      const reply = await call('PATCH', `/nas/${nas.id}`, { attributes: [pool, { name, value }] });
      t.match(reply, { status: 422, body: { code: 'attribute_refused', problems: [{ path: '/attributes/1' }] } }, name);
    }
    t.match((await call('GET', `/nas/${nas.id}`)).body.attributes, [{ name: 'Mikrotik-Address-List' }, {}]);
  });

  await t.test('as many as fit beside everything else', async (t) => {
    const many = (count: number, length: number) =>
      Array.from({ length: count }, () => ({ name: 'Cisco-AVPair', value: 'x'.repeat(length) }));
    t.match(await call('PATCH', `/nas/${nas.id}`, { attributes: many(17, 1) }), { status: 400 });
    t.match(await call('PATCH', `/nas/${nas.id}`, { attributes: many(5, 200) }), {
      status: 422,
      body: { problems: [{ path: '/attributes', message: 'are 1040 octets in a packet, 1000 at most' }] },
    });
    t.match(await call('PATCH', `/nas/${nas.id}`, { attributes: many(16, 50) }), { status: 200 });
  });
});
