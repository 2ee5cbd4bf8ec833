// Certificates for tests of EAP, made by openssl: a server, subscribers, one of them revoked, and one of another authority.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TlsIdentity } from '#ops/runtime/eap-identity.ts';

/** Those of this process, by name: the keys take seconds to make. */
let made: ReadonlyMap<string, Buffer> | undefined;

/** Writes `<name>.pem` and `<name>.key` of ca, foreign, radius.example.net, alice, bob, revoked (by ca) and mallory (by foreign). */
export function makeCertificates(folder: string): TlsIdentity {
  if (made) for (const [name, octets] of made) writeFileSync(path.join(folder, name), octets, { mode: 0o600 });
  else makeAnew(folder);
  made ??= new Map(readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name))]));
  const read = (name: string) => readFileSync(path.join(folder, name), 'utf8');
  return {
    cert: `${read('radius.example.net.pem')}${read('ca.pem')}`,
    key: read('radius.example.net.key'),
    ca: read('ca.pem'),
    crl: read('crl.pem'),
    tenant: '',
  };
}

function makeAnew(folder: string): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const authority = (name: string) =>
    openssl(
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', `/CN=${name}`],
      ...['-keyout', `${name}.key`, '-out', `${name}.pem`],
    );
  const sign = (name: string, by: string, extensions: string) => {
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', 'csr');
    writeFileSync(path.join(folder, 'extensions'), extensions);
    openssl(
      ...['x509', '-req', '-in', 'csr', '-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial', '-days', '30'],
      ...['-extfile', 'extensions', '-out', `${name}.pem`],
    );
  };
  authority('ca');
  authority('foreign');
  sign('radius.example.net', 'ca', 'extendedKeyUsage=serverAuth\nsubjectAltName=DNS:radius.example.net');
  sign('alice', 'ca', 'extendedKeyUsage=clientAuth');
  sign('bob', 'ca', 'extendedKeyUsage=clientAuth');
  sign('revoked', 'ca', 'extendedKeyUsage=clientAuth');
  sign('mallory', 'foreign', 'extendedKeyUsage=clientAuth');
  writeFileSync(path.join(folder, 'index'), '');
  writeFileSync(
    path.join(folder, 'ca.conf'),
    '[ca]\ndefault_ca=own\n[own]\ndatabase=index\ncertificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\ndefault_crl_days=30\n',
  );
  openssl('ca', '-config', 'ca.conf', '-revoke', 'revoked.pem');
  openssl('ca', '-config', 'ca.conf', '-gencrl', '-out', 'crl.pem');
}
