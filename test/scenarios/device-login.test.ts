// Staff log in to a network device on the whole product: from the API through the feed to the Access-Accept, with radclient as the device.
import t from 'tap';
import { missing } from '#test/support/peers.ts';
import { radclient } from '#test/support/radclient.ts';
import { startStack } from '#test/support/stack.ts';
import { startPostgres } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';

t.setTimeout(240_000);

t.test('from the API to the prompt of a router', { timeout: 240_000, skip: missing('radclient') }, async (t) => {
  const postgres = await startPostgres(t);
  const stack = await startStack(t, {
    ...{ DATABASE_URL: postgres.url, LASTMILE_SECRET_KEY: 'a secret of this test only', REJECT_DELAY_MS: '0' },
  });
  // biome-ignore lint/suspicious/noExplicitAny: each step says itself what it expects of an answer
  const api = async (method: string, path: string, body?: unknown) => (await stack.api(method, path, body)) as any;
  await api('POST', '/tenants', { slug: 'demo', name: 'Demo' });
  const nas = await api('POST', '/nas', {
    ...{ name: 'router', address: '127.0.0.1', secret: 'testing123', vendor: 'cisco', message_authenticator: 'yes' },
  });
  const anna = await api('POST', '/device-users', { user_name: 'anna', access: 'full' });
  const login = (user: string, password: string, ...more: string[]) =>
    radclient(stack.authTarget, 'auth', [
      ...[`User-Name = "${user}"`, `User-Password = "${password}"`, 'Message-Authenticator = 0x00', ...more],
    ]);
  const atPrompt = (password = anna.password) => login('anna', password, 'Service-Type = NAS-Prompt-User');
  const accepted = await until(async () => {
    const reply = await atPrompt();
    return reply.code === 'Access-Accept' && reply;
  }, 'anna is known at the edge');
  t.equal(accepted.value('Cisco-AVPair'), 'shell:priv-lvl=15');
  t.equal(accepted.value('Service-Type'), 'NAS-Prompt-User');
  t.equal((await atPrompt('wrong')).code, 'Access-Reject');

  for (const [vendor, name, value] of [
    ['huawei', 'Huawei-Exec-Privilege', '15'],
    ['nokia', 'Timetra-Profile', 'administrative'],
    ['juniper', 'Juniper-Local-User-Name', 'lastmile-full'],
    ['mikrotik', 'Mikrotik-Group', 'full'],
  ] as const) {
    await api('PATCH', `/nas/${nas.id}`, { vendor });
    await until(async () => (await atPrompt()).value(name) === value, `${vendor} is told ${name}`);
  }

  const service = await api('POST', '/services/internet', {
    ...{ name: 'home', bandwidth_down: 10, bandwidth_up: 10, monthly_fee: '1' },
  });
  const customer = await api('POST', '/customers', { name: 'Anna at home' });
  await api('POST', `/customers/${customer.id}/services`, {
    ...{ service_id: service.id, user_name: 'anna', password: 'at home', status: 'active' },
  });
  const atHome = () => login('anna', 'at home', 'Service-Type = Framed-User', 'Framed-Protocol = PPP');
  await until(async () => (await atHome()).code === 'Access-Accept', 'a subscriber of the same name gets in');
  t.equal((await login('anna', 'at home', 'Service-Type = Administrative-User')).code, 'Access-Reject');
  t.equal((await login('anna', anna.password, 'Service-Type = Framed-User')).code, 'Access-Reject');

  await api('PATCH', `/device-users/${anna.id}`, { enabled: false });
  await until(async () => (await atPrompt()).code === 'Access-Reject', 'and out at once');
  t.notMatch(stack.output(), new RegExp(anna.password), 'no password is in the log');
  const metrics = await (await fetch(`${stack.aaaAdminUrl}/metrics`)).text();
  t.match(metrics, /^lastmile_device_logins_total\{[^}]*result="disabled"[^}]*\} [1-9]/m);
});
