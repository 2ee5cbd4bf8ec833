// What was acknowledged is counted, exactly once, whatever is killed in the middle.
import t from 'tap';
import { createAccountingClient } from '#test/support/accounting-client.ts';
import { type Stack, startStack } from '#test/support/stack.ts';
import { until } from '#test/support/wait.ts';

const sessions = 40;
const gigaword = 2 ** 32;

type Meter = { readonly user: string; readonly id: string; sent: number; acked: number; seconds: number };

t.setTimeout(240_000);

/** What the ledger has counted for a user, upwards. */
async function counted(stack: Stack, user: string): Promise<number> {
  const found = (await stack.api('GET', `/subscriptions?search=${user}`)) as { data: { id: number }[] };
  const usage = (await stack.api('GET', `/subscriptions/${found.data[0]!.id}/usage`)) as {
    all_time: { up_bytes: number };
  };
  return usage.all_time.up_bytes;
}

t.test('accounting under load survives kill -9 of aaa-server and of Redis', { timeout: 240_000 }, async (t) => {
  const stack = await startStack(t);
  await stack.seed(sessions);
  // No CoA of this stack may reach the access server of another test.
  const [nas] = ((await stack.api('GET', '/nas')) as { data: { id: number }[] }).data;
  await stack.api('PATCH', `/nas/${nas!.id}`, { mode: 'observe' });
  const client = createAccountingClient(Number(stack.acctTarget.split(':')[1]), 'testing123');
  t.teardown(client.close);

  const meters: Meter[] = Array.from({ length: sessions }, (_, i) => ({
    user: `user${i}`,
    id: `crash-${i}`,
    sent: 0,
    acked: 0,
    seconds: 0,
  }));

  /** One more interim of a session, with a growing total. */
  async function report(meter: Meter, signal: AbortSignal): Promise<void> {
    meter.sent += 1_000_003;
    meter.seconds += 1;
    const total = meter.sent;
    const answered = await client.send(
      [
        ['User-Name', meter.user],
        ['Acct-Session-Id', meter.id],
        ['Acct-Status-Type', 'Interim-Update'],
        ['NAS-IP-Address', '127.0.0.1'],
        ['Acct-Session-Time', meter.seconds],
        ['Acct-Input-Octets', total % gigaword],
        ['Acct-Input-Gigawords', Math.floor(total / gigaword)],
        ['Acct-Output-Octets', 0],
        ['Acct-Output-Gigawords', 0],
      ],
      signal,
    );
    if (answered) meter.acked = total;
  }

  /** Every session reports without pause until `during` has happened; then nobody says anything more. */
  async function loadWhile(during: () => Promise<void>): Promise<void> {
    const ending = new AbortController();
    const senders = meters.map(async (meter) => {
      while (!ending.signal.aborted) await report(meter, ending.signal);
    });
    await during();
    ending.abort();
    await Promise.all(senders);
  }

  /** Between what was acknowledged and what was sent: nothing acknowledged is missing, nothing is counted twice. */
  async function assertCounted(title: string): Promise<void> {
    for (const meter of meters) {
      await until(
        async () => (await counted(stack, meter.user)) >= meter.acked,
        `${meter.user} has its ${meter.acked} bytes`,
        30_000,
      );
      const bytes = await counted(stack, meter.user);
      if (bytes > meter.sent) t.fail(`${title}: ${meter.user} counted ${bytes}, sent ${meter.sent}`);
    }
    t.pass(title);
  }

  const someAcked = (more: number) => {
    const before = meters.reduce((sum, { acked }) => sum + acked, 0);
    return until(
      () => meters.reduce((sum, { acked }) => sum + acked, 0) > before + more * 1_000_003,
      `${more} more records are acknowledged`,
      30_000,
    );
  };

  await loadWhile(async () => {
    await someAcked(500);
    process.kill(stack.pidOf('aaa-server/main.ts'), 'SIGKILL');
  });
  await until(
    async () => (await fetch(`${stack.aaaAdminUrl}/readyz`).catch(() => undefined))?.ok === true,
    'aaa-server is back',
    30_000,
  );
  await assertCounted('after kill -9 of aaa-server under load');

  await loadWhile(async () => {
    await someAcked(500);
    process.kill(stack.pidOf('redis-server'), 'SIGKILL');
    await someAcked(500);
  });
  await until(async () => (await fetch(`${stack.apiUrl}/readyz`)).ok, 'Redis is back', 30_000);
  await assertCounted('after kill -9 of Redis under load');

  const end = new AbortController();
  await Promise.all(meters.map((meter) => report(meter, end.signal)));
  for (const meter of meters) {
    await until(
      async () => (await counted(stack, meter.user)) === meter.sent,
      `${meter.user} is counted to the byte`,
      10_000,
    );
  }
  t.pass('and in the end every session is counted to the byte');
});
