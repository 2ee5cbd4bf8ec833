// `npm run pki`: what openssl makes of it, who may read it, that nothing is overwritten, and what the doctor says of it.
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { checkRadsec } from '#ops/doctor/radsec.ts';
import { missing } from '#test/support/peers.ts';

const repository = path.resolve(import.meta.dirname, '../..');
const skip = missing('openssl');

t.test('npm run pki', { skip }, async (t) => {
  const data = mkdtempSync(path.join(tmpdir(), 'lastmile pki $HOME '));
  t.teardown(() => rmSync(data, { recursive: true, force: true }));
  const folder = path.join(data, 'pki');
  const pki = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['ops/run.mjs', 'ops/pki/main.ts', ...args], {
      cwd: repository,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, LASTMILE_DATA_DIR: data },
    });
    return { status, text: stdout + stderr };
  };
  const verify = (purpose: string, file: string, ...more: string[]) =>
    spawnSync(
      'openssl',
      ['verify', '-purpose', purpose, '-CAfile', path.join(folder, 'ca.pem'), ...more, path.join(folder, file)],
      {
        encoding: 'utf8',
      },
    );

  t.match(pki('nas', 'tower').text, /has no authority: run init first/);
  t.match(pki('init', 'My ISP').text, /ca\.pem: CN=My ISP, valid until \d{4}-\d\d-\d\d \(36\d\d days\)/);
  const server = pki('server', 'radius.example.net', '192.0.2.1', '2001:db8::1');
  t.match(server.text, /DNS:radius\.example\.net, IP Address:192\.0\.2\.1, IP Address:2001:DB8/);
  t.match(server.text, /RADSEC_CERT=.*server\.pem RADSEC_KEY=.*server\.key RADSEC_CA=.*ca\.pem RADSEC_CRL=.*crl\.pem/);
  const nas = pki('nas', 'tower');
  t.match(nas.text, /radsec_identity of its record: cn:tower\n.*sha256:[0-9a-f]{64}/);

  t.equal(verify('sslserver', 'server.pem').status, 0, 'serverAuth');
  t.not(verify('sslclient', 'server.pem').status, 0);
  t.equal(verify('sslclient', 'nas/tower.pem').status, 0, 'clientAuth');
  t.not(verify('sslserver', 'nas/tower.pem').status, 0);
  const certificate = new X509Certificate(readFileSync(path.join(folder, 'server.pem')));
  t.strictSame(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  t.ok(certificate.checkHost('radius.example.net'));

  const modes = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => {
    const { mode } = statSync(path.join(folder, name));
    return [name, (mode & 0o777).toString(8)] as const;
  });
  t.strictSame(
    modes.filter(([name, mode]) => mode !== (name === 'nas' ? '700' : '600') && !/^(index|crlnumber)/.test(name)),
    [],
    'only the owner reads them',
  );
  t.ok((statSync(folder).mode & 0o077) === 0);

  for (const again of [['init'], ['server', 'x'], ['nas', 'tower']]) {
    const refused = pki(...again);
    t.equal(refused.status, 1);
    t.match(refused.text, /exists: it is not overwritten/);
  }
  for (const wrong of [['nas', '../ca'], ['nas', 'a b'], ['nas'], ['server'], ['init', 'a/b'], ['nonsense'], []]) {
    t.equal(pki(...wrong).status, 1, wrong.join(' '));
  }

  t.equal(verify('sslclient', 'nas/tower.pem', '-crl_check', '-CRLfile', path.join(folder, 'crl.pem')).status, 0);
  t.equal(pki('revoke', 'tower').status, 0);
  t.match(
    verify('sslclient', 'nas/tower.pem', '-crl_check', '-CRLfile', path.join(folder, 'crl.pem')).stderr,
    /revoked/,
  );
  t.match(pki('revoke', 'nobody').text, /there is no .*nobody\.pem/);
  const shown = pki('show').text.trim().split('\n');
  t.equal(shown.length, 4);
  for (const line of shown) t.match(line, /valid until \d{4}-\d\d-\d\d \(\d+ days\)$/);
  t.equal(pki('crl').status, 0);

  await t.test('the doctor', async (t) => {
    const at = (name: string) => path.join(folder, name);
    const settings = {
      RADSEC_PORT: 2083,
      RADSEC_CERT: at('server.pem'),
      RADSEC_KEY: at('server.key'),
      RADSEC_CA: at('ca.pem'),
    };
    const states = (change: Partial<typeof settings> & { RADSEC_CRL?: string } = {}, aheadDays = 0) =>
      checkRadsec({ ...settings, RADSEC_CRL: at('crl.pem'), ...change }, Date.now() + aheadDays * 86_400_000).map(
        ({ state }) => state,
      );
    t.strictSame(states(), ['ok', 'ok', 'ok']);
    t.strictSame(states({}, 380), ['ok', 'ok', 'warn'], 'the list first');
    t.strictSame(states({}, 820), ['warn', 'ok', 'bad']);
    t.strictSame(states({ RADSEC_KEY: at('ca.key') }), ['bad'], 'a key that is not its own');
    t.strictSame(states({ RADSEC_CRL: at('gone') }), ['bad']);
    t.strictSame(states({ RADSEC_KEY: '' }), ['bad']);
    const off = { RADSEC_PORT: 2083, RADSEC_CERT: '', RADSEC_KEY: '', RADSEC_CA: '', RADSEC_CRL: '' };
    t.match(checkRadsec(off), [{ state: 'ok', text: 'off' }]);
  });
});
