// The proxy in the whole product: set up by the API, a login decided by FreeRADIUS, and accounting that waits on disk through kill -9 until its server is there.
import t from 'tap';
import { startFreeradiusHome } from '#test/support/freeradius-home.ts';
import { missing } from '#test/support/peers.ts';
import { radclient } from '#test/support/radclient.ts';
import { freePorts, startStack } from '#test/support/stack.ts';
import { until } from '#test/support/wait.ts';

type Made = { readonly id: number };

t.test(
  'a realm is forwarded, and its accounting survives the end of aaa-server',
  { skip: missing('freeradius', 'freeradius-utils'), timeout: 300_000 },
  async (t) => {
    const [authPort = 0, acctPort = 0, laterAuth = 0, laterAcct = 0] = await freePorts(4);
    const stack = await startStack(t);
    await stack.seed(1);
    const secret = 'between us';
    await startFreeradiusHome(t, { authPort, acctPort, secret, reply: 'Framed-IP-Address := 192.0.2.77' });
    const server = async (name: string, auth: number, acct: number) => {
      const body = { name, address: '127.0.0.1', auth_port: auth, acct_port: acct, secret, response_window_ms: 3000 };
      return ((await stack.api('POST', '/home-servers', body)) as Made).id;
    };
    const partner = await server('partner', authPort, acctPort);
    const billing = await server('billing', laterAuth, laterAcct);
    await stack.api('POST', '/realms', { name: 'partner.example', home_server_ids: [partner] });
    await stack.api('POST', '/accounting-copies', { name: 'billing', home_server_id: billing });

    const login = () =>
      radclient(stack.authTarget, 'auth', [
        ...['User-Name = "bob@Partner.Example"', 'User-Password = "wonderland"'],
        ...['Message-Authenticator = 0x00', 'NAS-IP-Address = 127.0.0.1'],
      ]);
    const accepted = await until(
      async () => {
        const reply = await login();
        return reply.code === 'Access-Accept' && reply;
      },
      'the edge knows the realm',
      60_000,
    );
    t.equal(accepted.value('Framed-IP-Address'), '192.0.2.77');
    t.equal(accepted.value('Reply-Message'), 'hello bob@Partner.Example');

    const metrics = async () => (await fetch(`${stack.aaaAdminUrl}/metrics`)).text();
    const copiers = async () =>
      (await metrics()).match(/^lastmile_proxy_accounting_lag_seconds\{[^}]*destination="copy billing"/gm)?.length;
    const account = (session: string) =>
      radclient(stack.acctTarget, 'acct', [
        ...['User-Name = "user0"', `Acct-Session-Id = "${session}"`, 'Acct-Status-Type = Start'],
        'NAS-IP-Address = 127.0.0.1',
      ]);
    let early = 0;
    await until(
      async () => {
        await account(`early-${early++}`);
        return (await copiers()) === 2;
      },
      'both workers know where copies go',
      60_000,
    );
    const sessions = Array.from({ length: 8 }, (_, n) => `waits-${n}`);
    for (const session of sessions) t.equal((await account(session)).code, 'Accounting-Response');
    const before = stack.pidOf('aaa-server/main.ts');
    process.kill(before, 'SIGKILL');
    await until(() => stack.pidOf('aaa-server/main.ts') !== before, 'it is started again', 60_000);
    const home = await startFreeradiusHome(t, { authPort: laterAuth, acctPort: laterAcct, secret });
    const arrived = () =>
      new Set(
        home
          .details()
          .flat()
          .filter((line) => line.startsWith('Acct-Session-Id')),
      );
    const missed = () => sessions.filter((session) => !arrived().has(`Acct-Session-Id = "${session}"`));
    await until(
      () => missed().length === 0,
      () => `every record arrives, ${missed().join(' ')} too`,
      120_000,
    );
    await until(
      async () => {
        const nothing = /^lastmile_proxy_accounting_backlog_bytes\{[^}]*destination="copy billing"[^}]*\} 0$/m;
        return nothing.test(await metrics());
      },
      'nothing waits any more',
      30_000,
    );
  },
);
