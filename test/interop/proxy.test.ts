// The proxy between radclient or eapol_test and Debian's FreeRADIUS as home server: every method, fail-over and return, accounting that waits for its server.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { authenticatorResponse, challengeHash, challengeResponse, mppeKeys, ntHash } from '#aaa-server/wire/mschap.ts';
import {
  freePorts,
  homeSecretText,
  homeServer,
  realm,
  startNode,
  temporaryFolder,
} from '#test/aaa-server/proxy/harness.ts';
import { makeCertificates } from '#test/aaa-server/support/certificates.ts';
import { type Device, eapolTest } from '#test/support/eapol-test.ts';
import { startFreeradiusHome } from '#test/support/freeradius-home.ts';
import { missing } from '#test/support/peers.ts';
import { radclient } from '#test/support/radclient.ts';
import { until } from '#test/support/wait.ts';

const skip = missing('freeradius', 'freeradius-utils');
t.setTimeout(240_000);

const home = (ports: readonly [number, number], more: object = {}) => ({
  ...{ authPort: ports[0], acctPort: ports[1], secret: homeSecretText },
  ...more,
});
const log = (user: string, password = 'wonderland') => [`User-Name = "${user}"`, `User-Password = "${password}"`];
const signed = (lines: readonly string[]) => [...lines, 'Message-Authenticator = 0x00', 'NAS-IP-Address = 127.0.0.1'];

t.test(
  'PAP, CHAP and MS-CHAP-2 are decided by the home server, and its keys reach the access server',
  { skip },
  async (t) => {
    const ports = await freePorts();
    await startFreeradiusHome(
      t,
      home(ports, {
        reply: `Framed-IP-Address := 192.0.2.77
      Service-Type := Administrative-User
      Mikrotik-Group := "full"
      Tunnel-Password:1 := "deep"`,
      }),
    );
    const node = await startNode(t, {
      homeServers: [homeServer(1, ports[0], { acctPort: ports[1], responseWindowMs: 5000 })],
      realms: [
        realm(1, 'partner.example', [1]),
        realm(2, 'corp', [1], { stripUserName: true }),
        realm(3, 'tunnel.example', [1], {
          replyAttributes: [{ name: 'Tunnel-Password', vendor: 0, type: 69, hiding: 'salted', tagged: true }],
        }),
      ],
    });
    const login = (lines: readonly string[]) => radclient(node.auth, 'auth', signed(lines), { timeoutS: 8 });

    const accepted = await login([...log('bob@Partner.Example'), 'Proxy-State = 0x6161', 'Proxy-State = 0x6262']);
    t.equal(accepted.code, 'Access-Accept');
    t.equal(accepted.value('Reply-Message'), 'hello bob@Partner.Example');
    t.equal(accepted.value('Framed-IP-Address'), '192.0.2.77');
    t.match(accepted.attributes[0], /^Message-Authenticator/);
    t.strictSame(
      accepted.attributes.filter((line) => line.startsWith('Proxy-State')),
      ['Proxy-State = 0x6161', 'Proxy-State = 0x6262'],
      'those of the access server, in their order, and not ours',
    );
    for (const name of ['Service-Type', 'Mikrotik-Group', 'Tunnel-Password:1']) {
      t.equal(accepted.value(name), undefined, `${name} is left out`);
    }
    t.equal(await node.metric('lastmile_proxy_reply_attributes_left_out_total'), 3);
    t.equal((await login(log('bob@partner.example', 'x'))).code, 'Access-Reject');
    const stripped = await login(log('CORP\\\\bob'));
    t.equal(stripped.value('Reply-Message'), 'hello bob');
    t.match((await login(log('bob@tunnel.example'))).attributes.join(), /Tunnel-Password:1 = "deep"/, 'hidden anew');

    const chap = (password: string) => login(['User-Name = "bob@partner.example"', `CHAP-Password = "${password}"`]);
    t.equal((await chap('wonderland')).code, 'Access-Accept');
    t.equal((await chap('x')).code, 'Access-Reject');

    const mschap = ['User-Name = "bob@partner.example"', 'MS-CHAP-Password = "wonderland"'];
    const version1 = await login(mschap);
    t.equal(version1.code, 'Access-Accept');
    t.match(version1.value('MS-CHAP-MPPE-Keys'), /^0x0000000000000000(?!00000000)[0-9a-f]{32}/);
    const challenge = Buffer.alloc(16, 7);
    const hash = ntHash(Buffer.from('wonderland'));
    const hashed = challengeHash(challenge, challenge, Buffer.from('bob@partner.example'));
    const response = challengeResponse(hashed, hash);
    const version2 = await login([
      ...['User-Name = "bob@partner.example"', `MS-CHAP-Challenge = 0x${challenge.toString('hex')}`],
      `MS-CHAP2-Response = 0x0100${challenge.toString('hex')}${'00'.repeat(8)}${response.toString('hex')}`,
    ]);
    t.equal(version2.code, 'Access-Accept');
    const keys = mppeKeys(hash, response);
    // radclient shows them as it reads them with the secret between it and us.
    t.equal(version2.value('MS-MPPE-Send-Key'), `0x${keys.send.toString('hex')}`);
    t.equal(version2.value('MS-MPPE-Recv-Key'), `0x${keys.receive.toString('hex')}`);
    t.equal(
      Buffer.from(version2.value('MS-CHAP2-Success')?.slice(4) ?? '', 'hex').toString(),
      authenticatorResponse(hash, response, hashed),
    );
    t.equal((await login(['User-Name = "alice"', 'User-Password = "wonderland"'])).value('Reply-Message'), undefined);
    t.equal(node.counted('drops', 'handler_error'), 0);
    t.equal(await node.metric('lastmile_proxy_refused_total'), 0);
  },
);

t.test(
  'eapol_test logs in through us, and both sides have the same keys',
  { skip: skip || missing('eapol_test', 'openssl') },
  async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-proxy-eap-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    makeCertificates(folder);
    const ports = await freePorts();
    await startFreeradiusHome(t, home(ports, { certificates: folder }));
    const node = await startNode(t, {
      homeServers: [homeServer(1, ports[0], { acctPort: ports[1], responseWindowMs: 5000 })],
      realms: [realm(1, 'partner.example', [1], { stripUserName: true })],
    });
    const quoted = (text: string) => `"${text}"`;
    const device = (eap: string, more: Device = {}): Device => ({
      eap,
      identity: quoted('bob@partner.example'),
      password: quoted('wonderland'),
      ...(eap === 'MD5' || eap === 'MSCHAPV2' ? {} : { ca_cert: quoted('ca.pem') }),
      ...more,
    });
    const outside = { anonymous_identity: quoted('anonymous@partner.example') };
    const cases: [string, Device, boolean][] = [
      ['MD5', device('MD5'), false],
      ['MSCHAPv2', device('MSCHAPV2'), true],
      ['TTLS-PAP', device('TTLS', { ...outside, phase2: quoted('auth=PAP') }), true],
      ['PEAP-MSCHAPv2', device('PEAP', { ...outside, phase2: quoted('auth=MSCHAPV2') }), true],
      ['TLS', device('TLS', { client_cert: quoted('alice.pem'), private_key: quoted('alice.key') }), true],
    ];
    for (const [name, settings, withKeys] of cases) {
      const { ok, output } = await eapolTest(folder, node.authPort, settings, withKeys);
      t.ok(ok, name, ok ? {} : { output: output.slice(-6000) });
    }
    const { ok } = await eapolTest(folder, node.authPort, device('PEAP', { ...outside, password: quoted('x') }), true);
    t.notOk(ok, 'a wrong password');
    t.equal(node.counted('drops', 'handler_error'), 0);
    t.equal(node.counted('eap', 'started'), 0, 'none of it was ours');
  },
);

t.test(
  'the second home server takes over while the first is stopped, and the first comes back by Status-Server',
  { skip },
  async (t) => {
    const [first, second] = [await freePorts(), await freePorts()];
    const one = await startFreeradiusHome(t, home(first, { reply: 'Class := "one"' }));
    await startFreeradiusHome(t, home(second, { reply: 'Class := "two"' }));
    const node = await startNode(t, {
      homeServers: [
        homeServer(1, first[0], { acctPort: first[1], responseWindowMs: 1000 }),
        homeServer(2, second[0], { acctPort: second[1], responseWindowMs: 3000 }),
      ],
      realms: [realm(1, 'partner.example', [1, 2])],
    });
    const login = async () =>
      (await radclient(node.auth, 'auth', signed(log('bob@partner.example')), { timeoutS: 8 })).value('Class');
    const state = (name: string) =>
      node.metric('lastmile_proxy_home_server_state', { home_server: 'home 1', port: 'auth', state: name });
    const oneSays = `0x${Buffer.from('one').toString('hex')}`;
    const twoSays = `0x${Buffer.from('two').toString('hex')}`;
    t.equal(await login(), oneSays);
    one.signal('SIGSTOP');
    t.teardown(() => one.signal('SIGCONT'));
    t.equal(await login(), twoSays, 'this login has to wait for the first one');
    t.equal(await state('alive'), 0);
    t.equal(await login(), twoSays, 'and this one does not');
    await until(() => state('dead'), 'it is dead', 20_000);
    t.equal(await login(), twoSays);
    one.signal('SIGCONT');
    await until(() => state('alive'), 'it has answered Status-Servers', 30_000);
    t.equal(await login(), oneSays);
    t.ok((await node.metric('lastmile_proxy_requests_total', { home_server: 'home 1', kind: 'status' })) >= 3);
  },
);

t.test('accounting is copied and forwarded, also what came while its server was away', { skip }, async (t) => {
  const [copyTo, homeOf] = [await freePorts(), await freePorts()];
  const details = temporaryFolder(t);
  const realmHome = await startFreeradiusHome(t, home(homeOf));
  const node = await startNode(t, {
    homeServers: [
      homeServer(1, copyTo[0], { acctPort: copyTo[1], responseWindowMs: 500 }),
      homeServer(2, homeOf[0], { acctPort: homeOf[1], responseWindowMs: 2000 }),
    ],
    realms: [realm(1, 'partner.example', [2], { accounting: 'forward', stripUserName: true })],
    copies: [{ id: 1, name: 'billing', homeServerId: 1, nasId: null }],
  });
  const account = (user: string, session: string, kind: string) =>
    radclient(node.acct, 'acct', [
      ...[`User-Name = "${user}"`, `Acct-Session-Id = "${session}"`, `Acct-Status-Type = ${kind}`],
      ...['NAS-IP-Address = 127.0.0.1', 'Class = 0x0102', 'Mikrotik-Host-IP = 192.0.2.5'],
    ]);
  t.equal((await account('alice', 'a', 'Start')).code, 'Accounting-Response', 'the second server is not even there');
  t.equal((await account('bob@partner.example', 'b', 'Start')).code, 'Accounting-Response');
  t.equal((await account('alice', 'a', 'Interim-Update')).code, 'Accounting-Response');
  t.equal((await account('alice', 'a', 'Stop')).code, 'Accounting-Response');
  await until(() => realmHome.details().length > 0, 'the realm has its record', 20_000);
  for (const line of ['User-Name = "bob"', 'Class = 0x0102']) t.ok(realmHome.details()[0]?.includes(line), line);
  t.strictSame(
    node.records.map(({ userName, kind }) => `${userName} ${kind}`),
    ['alice start', 'alice interim', 'alice stop'],
    'what is only forwarded is not counted here',
  );
  t.ok((await node.metric('lastmile_proxy_accounting_backlog_bytes')) >= 0);
  const late = await startFreeradiusHome(t, home(copyTo, { detail: details }));
  await until(() => late.details().length >= 4, 'the copies arrive', 60_000);
  const kinds = late
    .details()
    .filter((lines) => lines.includes('Acct-Session-Id = "a"'))
    .map((lines) => lines.find((line) => line.startsWith('Acct-Status-Type')));
  t.strictSame(
    [...new Set(kinds)],
    ['Acct-Status-Type = Start', 'Acct-Status-Type = Interim-Update', 'Acct-Status-Type = Stop'],
    'in their order',
  );
  t.match(late.details().flat().join('\n'), /Mikrotik-Host-IP = 192\.0\.2\.5/, 'with all that the access server said');
  t.match(late.details()[0]?.join('\n'), /Acct-Delay-Time = [1-9]/, 'and how long it waited');
  await until(
    async () => (await node.metric('lastmile_proxy_accounting_forwarded_total', { destination: 'copy billing' })) >= 4,
    'all are taken',
  );
  t.equal(await node.metric('lastmile_proxy_accounting_lost_total'), 0);
});
