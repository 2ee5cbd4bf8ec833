// `npm run pki -- init | server <names> | nas <name> | revoke <name> | crl | show`: certificates for RadSec and EAP-TLS, in the data folder.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import Type from 'typebox';
import { InvalidSettings, messageOf } from '#ops/runtime/errors.ts';
import { readSettings, text } from '#ops/runtime/settings.ts';
import {
  certificateFile,
  certificatesIn,
  createAuthority,
  files,
  type Issued,
  issueCertificate,
  nameProblem,
  renewCrl,
  revokeCertificate,
} from './authority.ts';
import { crlExpiresAtMs } from './crl.ts';
import { daysLeft, expiresAtMs } from './tls-files.ts';

const usage = `usage: npm run pki -- <command>
  init [name]            a certificate authority of your own
  server <name> [name…]  the certificate of this server; every name or address it is reached by
  nas <name>             the certificate of an access server (also: of a client of EAP-TLS)
  revoke <name>          take the certificate of an access server back
  crl                    make the list of those taken back anew
  show                   what there is, and until when it is valid`;

function show(folder: string): void {
  for (const issued of certificatesIn(folder)) console.log(lineOf(folder, issued));
  const crl = path.join(folder, files.crl);
  const ends = existsSync(crl) ? crlExpiresAtMs(readFileSync(crl, 'utf8')) : null;
  if (ends !== null) console.log(`${crl}: ${validity(ends)}`);
}

function lineOf(folder: string, { file, certificate }: Issued): string {
  const names = [certificate.subject, certificate.subjectAltName].filter(Boolean).join(', ');
  return `${path.join(folder, file)}: ${names}, ${validity(expiresAtMs(certificate))}`;
}

function validity(atMs: number): string {
  const left = daysLeft(atMs, Date.now());
  const day = new Date(atMs).toISOString().slice(0, 10);
  return left < 0 ? `EXPIRED on ${day}` : `valid until ${day} (${left} days)`;
}

function run(folder: string, command: string, names: readonly string[]): void {
  const wrong = command === 'init' ? null : names.map(nameProblem).find((problem) => problem !== null);
  if (wrong) throw new Error(wrong);
  const one = () => {
    const [name] = names;
    if (name === undefined || names.length > 1) throw new Error(`name one access server\n${usage}`);
    return name;
  };
  switch (command) {
    case 'init': {
      const name = names.join(' ') || 'Lastmile authority';
      if (!/^[\p{L}\p{N} ._-]{1,64}$/u.test(name))
        throw new Error('its name must be letters, digits, spaces and . _ -');
      console.log(lineOf(folder, createAuthority(folder, name)));
      console.log(`Keep ${path.join(folder, 'ca.key')} safe: who has it can be any access server.`);
      return;
    }
    case 'server': {
      if (names.length === 0) throw new Error(`name the host names and addresses of this server\n${usage}`);
      console.log(lineOf(folder, issueCertificate(folder, 'server', names)));
      const at = (file: string) => path.join(folder, file);
      console.log(
        `RADSEC_CERT=${at(files.server)} RADSEC_KEY=${at('server.key')} RADSEC_CA=${at(files.authority)} RADSEC_CRL=${at(files.crl)}`,
      );
      return;
    }
    case 'nas': {
      const issued = issueCertificate(folder, 'nas', [one()]);
      console.log(lineOf(folder, issued));
      console.log(`radsec_identity of its record: cn:${one()}`);
      console.log(
        `or exactly this certificate: sha256:${issued.certificate.fingerprint256.toLowerCase().replaceAll(':', '')}`,
      );
      return;
    }
    case 'revoke':
      revokeCertificate(folder, certificateFile('nas', one()));
      show(folder);
      return;
    case 'crl':
      renewCrl(folder);
      show(folder);
      return;
    case 'show':
      show(folder);
      return;
    default:
      throw new Error(usage);
  }
}

const settings = Type.Object({
  LASTMILE_DATA_DIR: text({ default: './data', description: 'everything that lasts on this node' }),
});

try {
  const { LASTMILE_DATA_DIR } = readSettings(settings, process.env);
  const [command = '', ...names] = process.argv.slice(2);
  run(path.resolve(LASTMILE_DATA_DIR, 'pki'), command, names);
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(error instanceof InvalidSettings ? error.message : messageOf(error));
  process.exitCode = 1;
}
