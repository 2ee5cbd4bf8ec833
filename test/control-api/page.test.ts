// The page at / in a real browser: signing in, its cards, a store that is away, signing out.
import { type Browser, chromium, type Page } from 'playwright-core';
import t from 'tap';
import { createHttpPart } from '#control-api/http-part.ts';
import type { EnforcementAction } from '#policy/ledger/actions.ts';
import { missing } from '#test/support/peers.ts';
import { apiForTest, makeTenant, makeUser, password } from './api.ts';

const quiet = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'];

async function browserForTest(t: { teardown(handler: () => unknown): unknown }): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: [...quiet, '--disable-sync'] });
  t.teardown(() => browser.close());
  return browser;
}

async function signIn(page: Page, email: string, tenant = ''): Promise<void> {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('textbox', { name: 'Tenant' }).fill(tenant);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

const card = (page: Page, id: string) => page.locator(`#${id}`);

t.test('an operator signs in and sees the product at work', { skip: missing('chromium') }, async (t) => {
  const talker = { subscriptionId: 7, upBytes: 1_500_000_000, downBytes: 12_000_000_000 };
  const api = await apiForTest(t, { topTalkers: [talker] });
  const tenantId = await makeTenant(api, 'fiber');
  await makeTenant(api, 'other');
  await makeUser(api, 'root@example.com', 'super_admin', null);
  const action: EnforcementAction = {
    ...{ atMs: Date.now(), tenantId, subscriptionId: 7, nasId: 1, userName: '<b>user7</b>', sessionId: 's', by: 'coa' },
    ...{ outcome: 'throttle:2000000/2000000:fup', result: 'ack', errorCause: '', lagMs: 84 },
  };
  api.ledger.actions = [action];
  const admin = await api.signIn('admin@fiber.example', 'fiber');
  const nas = (await admin('POST', '/nas', { name: 'tower', address: '192.0.2.1', secret: 's' })).body.id;
  await admin('POST', '/nas', { name: 'other tower', address: '192.0.2.2', secret: 's' });
  await admin('POST', `/nas/${nas}/drain`, { note: 'new line card' });
  const http = createHttpPart(api.app, ['127.0.0.1'], 0);
  await http.start();
  t.teardown(() => http.stop());

  const browser = await browserForTest(t);
  const page = await browser.newPage({ viewport: { width: 1100, height: 800 } });
  const troubles: string[] = [];
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()));
  await page.goto(`http://127.0.0.1:${http.port()}/`);
  t.ok(await page.getByRole('heading', { name: 'Sign in' }).isVisible());

  await signIn(page, 'viewer@fiber.example', 'fiber');
  await card(page, 'online').getByText('0', { exact: true }).waitFor();
  await card(page, 'health').getByText('control-api').waitFor();
  const row = card(page, 'actions').locator('tbody tr');
  t.match(await row.textContent(), /<b>user7<\/b>change to throttle 2 down, 2 up Mbps \(fup\)ack84 ms/);
  t.match(await card(page, 'operated').locator('tbody tr').textContent(), /^towerdrainednew line card$/);
  t.match(await card(page, 'talkers').locator('tbody tr').textContent(), /7.*12 GB1\.5 GB13\.5 GB/);
  t.notOk(
    await page.getByRole('combobox', { name: 'Tenant' }).isVisible(),
    'nobody but a super admin chooses a tenant',
  );
  t.strictSame(troubles, []);
  if (process.env.PAGE_SCREENSHOT) await page.screenshot({ path: process.env.PAGE_SCREENSHOT });

  api.ledger.away = true;
  await card(page, 'online').getByText('the ledger does not answer').waitFor({ timeout: 20_000 });
  t.ok(await card(page, 'talkers').getByText('12 GB').isVisible(), 'the other cards go on');
  api.ledger.away = false;
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();

  await signIn(page, 'viewer@fiber.example', 'nowhere');
  await page.getByRole('alert').filter({ hasText: /\w/ }).waitFor();
  await signIn(page, 'root@example.com');
  await page.getByRole('combobox', { name: 'Tenant' }).selectOption('other');
  await card(page, 'actions').getByText('nothing was sent').waitFor();
});
