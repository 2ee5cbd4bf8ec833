// Every method of EAP with wpa_supplicant's eapol_test as the subscriber's device: it is let in, and its keys are those of the access server.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { methodMakers } from '#aaa-server/auth/eap/methods.ts';
import { ntHash } from '#aaa-server/wire/mschap.ts';
import { eapMethodNames } from '#policy/credentials/eap-methods.ts';
import { makeCertificates } from '#test/aaa-server/support/certificates.ts';
import { createIsp } from '#test/aaa-server/support/isp.ts';
import { createLogins } from '#test/aaa-server/support/logins.ts';
import { type Device, eapolTest } from '#test/support/eapol-test.ts';
import { missing } from '#test/support/peers.ts';

t.test(
  'eapol_test logs in by every method',
  { skip: missing('eapol_test', 'openssl'), timeout: 240_000 },
  async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-eap-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const tls = makeCertificates(folder);
    const isp = createIsp();
    const logins = createLogins({ isp, makers: methodMakers(eapMethodNames, tls, isp.snapshot) });
    logins.isp.addSubscriber('alice', 'wonderland');
    logins.isp.addSubscriber('nt', ntHash(Buffer.from('wonderland')).toString('hex'), {}, '', 'nt');
    logins.isp.addSubscriber('revoked', 'unused');
    const port = await logins.serve(t);
    const quoted = (text: string) => `"${text}"`;
    const device = (eap: string, more: Device = {}): Device => ({
      eap,
      identity: quoted('alice'),
      password: quoted('wonderland'),
      ...(['PEAP', 'TTLS', 'TLS'].includes(eap) ? { ca_cert: quoted('ca.pem') } : {}),
      ...more,
    });
    const tunnel = (eap: string, phase2: string, more: Device = {}) =>
      device(eap, { anonymous_identity: quoted('anonymous'), phase2: quoted(phase2), ...more });
    const version13 = { phase1: quoted('tls_disable_tlsv1_3=0') };
    const certificate = (name: string) => ({ client_cert: quoted(`${name}.pem`), private_key: quoted(`${name}.key`) });
    const cases: [string, Device, boolean][] = [
      ['MD5', device('MD5'), false],
      ['GTC', device('GTC'), false],
      ['MSCHAPv2', device('MSCHAPV2'), true],
      ['TLS 1.2', device('TLS', certificate('alice')), true],
      ['TLS 1.3', device('TLS', { ...certificate('alice'), ...version13 }), true],
      ['TLS, fragments both ways', device('TLS', { ...certificate('alice'), fragment_size: '300' }), true],
      ['TLS, anonymous', device('TLS', { ...certificate('alice'), identity: quoted('@example.net') }), true],
      ['TTLS-PAP', tunnel('TTLS', 'auth=PAP'), true],
      ['TTLS-PAP, TLS 1.3', tunnel('TTLS', 'auth=PAP', version13), true],
      ['TTLS-PAP of a hash', tunnel('TTLS', 'auth=PAP', { identity: quoted('nt') }), true],
      ['TTLS-CHAP', tunnel('TTLS', 'auth=CHAP'), true],
      ['TTLS-MSCHAP', tunnel('TTLS', 'auth=MSCHAP'), true],
      ['TTLS-MSCHAPv2', tunnel('TTLS', 'auth=MSCHAPV2'), true],
      ['TTLS-MSCHAPv2, TLS 1.3', tunnel('TTLS', 'auth=MSCHAPV2', version13), true],
      ['TTLS-CHAP, TLS 1.3', tunnel('TTLS', 'auth=CHAP', version13), true],
      ['TTLS-MSCHAP, TLS 1.3', tunnel('TTLS', 'auth=MSCHAP', version13), true],
      ['TTLS-EAP-MD5, TLS 1.3', tunnel('TTLS', 'autheap=MD5', version13), true],
      ['TTLS-EAP-MSCHAPv2', tunnel('TTLS', 'autheap=MSCHAPV2'), true],
      ['TTLS-EAP-MD5', tunnel('TTLS', 'autheap=MD5'), true],
      ['TTLS-EAP-GTC', tunnel('TTLS', 'autheap=GTC'), true],
      ['PEAP-MSCHAPv2', tunnel('PEAP', 'auth=MSCHAPV2'), true],
      ['PEAP-MSCHAPv2 of an NT hash', tunnel('PEAP', 'auth=MSCHAPV2', { identity: quoted('nt') }), true],
      ['PEAP-MSCHAPv2, TLS 1.3', tunnel('PEAP', 'auth=MSCHAPV2', version13), true],
      ['PEAP-GTC, TLS 1.3', tunnel('PEAP', 'auth=GTC', version13), true],
      ['PEAP-MSCHAPv2, fragments', tunnel('PEAP', 'auth=MSCHAPV2', { fragment_size: '120' }), true],
      ['PEAP-GTC', tunnel('PEAP', 'auth=GTC'), true],
    ];
    for (const [name, settings, withKeys] of cases) {
      const { ok, output } = await eapolTest(folder, port, settings, withKeys);
      t.ok(ok, name, ok ? {} : { output: output.slice(-6000) });
      if (name.includes('TLS 1.3')) t.match(output, /Using TLS version TLSv1\.3/);
    }
    const together = Array.from({ length: 8 }, () => eapolTest(folder, port, tunnel('PEAP', 'auth=MSCHAPV2'), true));
    t.ok(
      (await Promise.all(together)).every(({ ok }) => ok),
      'eight at the same time',
    );
    const refused: [string, Device, boolean][] = [
      ['MD5', device('MD5', { password: quoted('x') }), false],
      ['MSCHAPv2', device('MSCHAPV2', { password: quoted('x') }), true],
      ['TTLS-PAP', tunnel('TTLS', 'auth=PAP', { password: quoted('x') }), true],
      ['TTLS-MSCHAPv2', tunnel('TTLS', 'auth=MSCHAPV2', { password: quoted('x') }), true],
      ['PEAP-MSCHAPv2', tunnel('PEAP', 'auth=MSCHAPV2', { password: quoted('x') }), true],
      ['TLS of another authority', device('TLS', certificate('mallory')), true],
      ['TLS of a revoked certificate', device('TLS', { ...certificate('revoked'), identity: quoted('revoked') }), true],
      ['TLS with another name', device('TLS', { ...certificate('alice'), identity: quoted('nt') }), true],
      [
        'a server that the device does not trust',
        tunnel('PEAP', 'auth=MSCHAPV2', { ca_cert: quoted('foreign.pem') }),
        true,
      ],
    ];
    for (const [name, settings, withKeys] of refused) {
      const { ok } = await eapolTest(folder, port, settings, withKeys);
      t.notOk(ok, `refused: ${name}`);
    }
    t.ok(logins.counted('rejects', 'certificate_refused') >= 3);
    t.equal(logins.counted('drops', 'handler_error'), 0);
    t.strictSame(logins.warnings, []);
  },
);
