// Certificates for tests of RadSec: an authority, a server, and access servers of every sort, made once per test file.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TlsMaterial } from '#aaa-server/radsec/protocol.ts';
import { certificateFile, createAuthority, issueCertificate, revokeCertificate } from '#ops/pki/authority.ts';
import { crlsOf } from '#ops/pki/crl.ts';

type Teardown = { teardown(handler: () => unknown): unknown };

export type Identity = {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
};

export type TestAuthority = {
  readonly folder: string;
  readonly caFile: string;
  readonly crlFile: string;
  /** As the server is given it. */
  material(options?: { crl?: boolean }): TlsMaterial;
  readonly server: Identity;
  /** `validDays` −1: expired already. */
  nas(name: string, validDays?: number): Identity;
  revoke(name: string): void;
};

export function testAuthority(t: Teardown, name = 'test authority'): TestAuthority {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-pki-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  createAuthority(folder, name);
  const identity = (file: string): Identity => {
    const certFile = path.join(folder, file);
    const keyFile = certFile.replace(/\.pem$/, '.key');
    return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  };
  const server = identity(issueCertificate(folder, 'server', ['localhost', '127.0.0.1']).file);
  const caFile = path.join(folder, 'ca.pem');
  const crlFile = path.join(folder, 'crl.pem');
  return {
    ...{ folder, caFile, crlFile, server },
    material: ({ crl = false } = {}) => ({
      ...{ cert: server.cert, key: server.key, ca: readFileSync(caFile, 'utf8') },
      crls: crl ? crlsOf(readFileSync(crlFile, 'utf8')) : [],
    }),
    nas: (nas, validDays) => identity(issueCertificate(folder, 'nas', [nas], validDays).file),
    revoke: (nas) => revokeCertificate(folder, certificateFile('nas', nas)),
  };
}
