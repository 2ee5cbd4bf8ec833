// RadSec with Debian's radsecproxy and FreeRADIUS in front of us, and radclient in front of them.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '#ops/stores/embedded/ports.ts';
import { testAuthority } from '#test/aaa-server/radsec/certificates.ts';
import { startRadsecWorkers } from '#test/aaa-server/radsec/workers.ts';
import { nasOf } from '#test/aaa-server/support/isp.ts';
import { startFreeradiusProxy } from '#test/support/freeradius-proxy.ts';
import { missing } from '#test/support/peers.ts';
import { radclient } from '#test/support/radclient.ts';
import { startRadsecproxy } from '#test/support/radsecproxy.ts';
import { until } from '#test/support/wait.ts';

const skip = missing('openssl', 'radclient');
const pap = ['User-Name = "alice"', 'User-Password = "wonderland"'];
const chap = ['User-Name = "alice"', 'CHAP-Password = "wonderland"'];
const start = (id: string) => ['User-Name = "alice"', 'Acct-Status-Type = Start', `Acct-Session-Id = "${id}"`];

t.setTimeout(290_000);
// They wait for their peers most of the time.
t.jobs = 2;

t.test('radsecproxy', { timeout: 240_000, skip: skip || missing('radsecproxy') }, async (peer) => {
  const authority = testAuthority(peer);
  const { certFile, keyFile } = authority.nas('tower');
  const nases = [nasOf({ address: '192.0.2.1/32', radsecIdentity: 'dns:tower', messageAuthenticator: 'yes' })];
  const tlsPort = await freePort();
  const udpPort = await freePort();
  let lastmile = await startRadsecWorkers(peer, { authority, nases, port: tlsPort });
  const options = { udpPort, tlsPort, caFile: authority.caFile, certFile, keyFile };
  let proxy = await startRadsecproxy(peer, options);
  const target = `127.0.0.1:${udpPort}`;
  const login = (attributes = pap) => radclient(target, 'auth', attributes, { retries: 2, timeoutS: 3 });
  /** While a connection is made anew, radsecproxy drops what comes. */
  const loginInTheEnd = () => until(async () => (await login()).code === 'Access-Accept', 'a login works', 90_000);
  const silent = await startSilent(peer);

  await peer.test('PAP, CHAP, a wrong password, accounting', async (t) => {
    await loginInTheEnd();
    const accept = await login();
    t.equal(accept.value('Mikrotik-Rate-Limit'), '5M/20M');
    t.equal((await login(chap)).code, 'Access-Accept');
    t.equal((await login(['User-Name = "alice"', 'User-Password = "wrong"'])).code, 'Access-Reject');
    t.equal((await radclient(target, 'acct', start('s1'), { retries: 2 })).code, 'Accounting-Response');
    t.equal(await lastmile.metric(/^lastmile_radsec_connections/), 1, 'all on one connection');
    t.equal(await lastmile.metric(/^lastmile_accounting_appended_total/), 1);
  });

  await peer.test('EAP-MD5 by eapol_test', { skip: missing('eapoltest') }, async (t) => {
    const file = path.join(authority.folder, 'eapol.conf');
    const network = 'key_mgmt=IEEE8021X eap=MD5 identity="alice" password="wonderland"';
    writeFileSync(file, `network={\n  ${network.replaceAll(' ', '\n  ')}\n}\n`);
    const args = ['-n', '-c', file, '-a', '127.0.0.1', '-p', String(udpPort), '-s', 'testing123', '-t', '20'];
    const { promise, resolve } = Promise.withResolvers<string>();
    execFile('eapol_test', args, { timeout: 30_000 }, (_, stdout) => resolve(stdout));
    t.match((await promise).trim(), /SUCCESS$/);
  });

  await peer.test('after a restart of ours it comes again', { timeout: 100_000 }, async (t) => {
    await lastmile.workers.stop();
    t.equal((await radclient(target, 'auth', pap, { retries: 1, timeoutS: 1 })).code, 'none');
    lastmile = await startRadsecWorkers(peer, { authority, nases, port: tlsPort });
    await loginInTheEnd();
  });

  await peer.test('after its own end the connection is gone, and a new one works', { timeout: 120_000 }, async () => {
    await proxy.stop();
    await until(async () => (await lastmile.metric(/^lastmile_radsec_connections/)) === 0, 'it is gone', 15_000);
    proxy = await startRadsecproxy(peer, options);
    await loginInTheEnd();
  });

  await peer.test('with a certificate that is taken back it gets no answer', { timeout: 100_000 }, async (t) => {
    authority.revoke('tower');
    lastmile.workers.orderRadsecOfAll({
      ...{ type: 'radsec_material', recheck: true },
      material: authority.material({ crl: true }),
    });
    await until(
      async () => (await lastmile.metric(/^lastmile_radsec_refused_total\{reason="certificate_revoked"/)) >= 1,
      'it is refused',
      90_000,
    );
    t.equal((await radclient(target, 'auth', pap, { retries: 1, timeoutS: 1 })).code, 'none');
  });

  await peer.test('the watchdog of one that has been silent meanwhile is answered', { timeout: 100_000 }, async () => {
    // It asks after 25 to 30 seconds of silence.
    await until(
      async () => (await silent.lastmile.metric(/^lastmile_radius_replies_total\{code="status"/)) >= 1,
      () => `a Status-Server; ${silent.proxy.output().slice(-500)}`,
      90_000,
    );
  });
});

/** Another radsecproxy at workers of its own: it takes one login, and then nothing more. */
async function startSilent(peer: Test) {
  const authority = testAuthority(peer);
  const { certFile, keyFile } = authority.nas('silent');
  const nases = [nasOf({ address: '192.0.2.1/32', radsecIdentity: 'dns:silent', messageAuthenticator: 'yes' })];
  const [tlsPort, udpPort] = [await freePort(), await freePort()];
  const lastmile = await startRadsecWorkers(peer, { authority, nases, port: tlsPort });
  const proxy = await startRadsecproxy(peer, { udpPort, tlsPort, caFile: authority.caFile, certFile, keyFile });
  const login = () => radclient(`127.0.0.1:${udpPort}`, 'auth', pap, { retries: 2, timeoutS: 3 });
  await until(async () => (await login()).code === 'Access-Accept', 'a login works', 90_000);
  return { lastmile, proxy };
}

t.test('FreeRADIUS as proxy over TLS', { timeout: 90_000, skip: skip || missing('freeradius') }, async (t) => {
  const authority = testAuthority(t);
  const nases = [nasOf({ address: '192.0.2.1/32', radsecIdentity: 'cn:edge', messageAuthenticator: 'yes' })];
  const tlsPort = await freePort();
  const authPort = await freePort();
  const acctPort = await freePort();
  const lastmile = await startRadsecWorkers(t, { authority, nases, port: tlsPort });
  const { certFile, keyFile } = authority.nas('edge');
  const files = { caFile: authority.caFile, certFile, keyFile };
  const freeradius = await startFreeradiusProxy(t, { authPort, acctPort, tlsPort, ...files });
  const target = `127.0.0.1:${authPort}`;
  const accept = await radclient(target, 'auth', pap, { retries: 3, timeoutS: 5 });
  if (accept.code !== 'Access-Accept') t.comment(freeradius.output().slice(-3000));
  t.equal(accept.code, 'Access-Accept');
  t.equal(accept.value('Mikrotik-Rate-Limit'), '5M/20M');
  t.equal((await radclient(target, 'auth', chap, { retries: 3, timeoutS: 5 })).code, 'Access-Accept');
  t.equal(
    (await radclient(`127.0.0.1:${acctPort}`, 'acct', start('s1'), { retries: 3, timeoutS: 5 })).code,
    'Accounting-Response',
  );
  t.equal(await lastmile.metric(/^lastmile_accounting_appended_total/), 1);
  t.ok((await lastmile.metric(/^lastmile_radsec_events_total\{event="opened"/)) >= 1);
});
