// An own certificate authority in a folder, made with the `openssl` program: for RadSec and EAP-TLS where no other one is at hand.
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';

export type CertificateKind = 'server' | 'nas';

export type Issued = {
  /** Relative to the folder, as its key is with `.key`. */
  readonly file: string;
  readonly certificate: X509Certificate;
};

/** openssl(1) is part of every Debian; Node can make keys but sign no certificates. */
const program = 'openssl';
const days: Readonly<Record<CertificateKind | 'authority' | 'crl', number>> = {
  authority: 3650,
  server: 825,
  nas: 1825,
  crl: 397,
};

export const files = { authority: 'ca.pem', crl: 'crl.pem', server: 'server.pem' } as const;
export const certificateFile = (kind: CertificateKind, name: string) =>
  kind === 'server' ? files.server : `nas/${name}.pem`;

/** A sentence, or null. */
export function nameProblem(name: string): string | null {
  return /^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/.test(name) || isIP(name) !== 0
    ? null
    : `${JSON.stringify(name)} must be a host name, an address, or letters, digits and . _ - (64 at most)`;
}

/** Makes the authority. @throws when there is one already. */
export function createAuthority(folder: string, name: string): Issued {
  mkdirSync(path.join(folder, 'nas'), { recursive: true, mode: 0o700 });
  refuseExisting(folder, files.authority);
  const key = createKey(folder, files.authority);
  const pem = openssl(folder, {
    args: ['req', '-x509', '-new', '-key', key, '-subj', `/CN=${name}`, '-days', String(days.authority), '-sha256'],
    extensions: 'basicConstraints = critical, CA:TRUE, pathlen:0\nkeyUsage = critical, keyCertSign, cRLSign',
  });
  const issued = keep(folder, files.authority, pem);
  create(folder, 'index.txt', '');
  create(folder, 'crlnumber', '01\n');
  renewCrl(folder);
  return issued;
}

/** Makes key and certificate. The first name is the common name; all are alternative names. @throws when it exists. */
export function issueCertificate(
  folder: string,
  kind: CertificateKind,
  names: readonly string[],
  validDays = days[kind],
): Issued {
  requireAuthority(folder);
  const [name = ''] = names;
  const file = certificateFile(kind, name);
  refuseExisting(folder, file);
  const key = createKey(folder, file);
  const alternative = names.map((text) => `${isIP(text) === 0 ? 'DNS' : 'IP'}:${text}`).join(',');
  const request = openssl(folder, { args: ['req', '-new', '-key', key, '-subj', `/CN=${name}`], extensions: '' });
  const pem = openssl(folder, {
    args: [
      ...['x509', '-req', '-CA', files.authority, '-CAkey', keyOf(files.authority), '-sha256'],
      ...['-set_serial', `0x${randomSerial()}`, '-days', String(validDays)],
    ],
    extensions: [
      'basicConstraints = critical, CA:FALSE',
      'keyUsage = critical, digitalSignature',
      `extendedKeyUsage = ${kind === 'server' ? 'serverAuth' : 'clientAuth'}`,
      `subjectAltName = ${alternative}`,
    ].join('\n'),
    input: request,
  });
  return keep(folder, file, pem);
}

/** Takes a certificate back: the list names it from now on. Its files stay, so that the name is not used again unawares. */
export function revokeCertificate(folder: string, file: string): void {
  requireAuthority(folder);
  if (!existsSync(path.join(folder, file))) throw new Error(`there is no ${path.join(folder, file)}`);
  openssl(folder, { args: ['ca', '-revoke', file], extensions: '' });
  renewCrl(folder);
}

/** Makes the revocation list anew, valid from now on. */
export function renewCrl(folder: string): void {
  requireAuthority(folder);
  const pem = openssl(folder, { args: ['ca', '-gencrl'], extensions: '' });
  const fresh = path.join(folder, `${files.crl}.new`);
  writeFileSync(fresh, pem, { mode: 0o600 });
  renameSync(fresh, path.join(folder, files.crl));
}

/** What the folder holds, the authority first. */
export function certificatesIn(folder: string): Issued[] {
  const nases = existsSync(path.join(folder, 'nas')) ? readdirSync(path.join(folder, 'nas')).sort() : [];
  return [files.authority, files.server, ...nases.map((name) => `nas/${name}`)]
    .filter((file) => file.endsWith('.pem') && existsSync(path.join(folder, file)))
    .map((file) => ({ file, certificate: new X509Certificate(readFileSync(path.join(folder, file))) }));
}

const keyOf = (file: string) => file.replace(/\.pem$/, '.key');

function requireAuthority(folder: string): void {
  if (!existsSync(path.join(folder, files.authority))) throw new Error(`${folder} has no authority: run init first`);
}

function refuseExisting(folder: string, file: string): void {
  const taken = [file, keyOf(file)].find((name) => existsSync(path.join(folder, name)));
  if (taken) throw new Error(`${path.join(folder, taken)} exists: it is not overwritten; move it away first`);
}

/** P-256: what every TLS 1.2 peer knows. */
function createKey(folder: string, file: string): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  create(folder, keyOf(file), String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
  return keyOf(file);
}

function keep(folder: string, file: string, pem: string): Issued {
  create(folder, file, pem);
  return { file, certificate: new X509Certificate(pem) };
}

function create(folder: string, file: string, text: string): void {
  writeFileSync(path.join(folder, file), text, { mode: 0o600, flag: 'wx' });
}

/** RFC 5280 §4.1.2.2: positive, at most 20 octets; random, so that no two are alike. */
function randomSerial(): string {
  const octets = randomBytes(16);
  octets[0] = ((octets[0] ?? 0) & 0x3f) | 0x40;
  return octets.toString('hex');
}

/** What openssl prints. Its configuration is ours alone, so that the machine's changes nothing. */
function openssl(folder: string, run: { args: readonly string[]; extensions: string; input?: string }): string {
  const scratch = mkdtempSync(path.join(folder, '.openssl-'));
  try {
    const configuration = path.join(scratch, 'openssl.cnf');
    writeFileSync(configuration, configurationWith(run.extensions), { mode: 0o600 });
    const [command = '', ...args] = run.args;
    const options =
      command === 'x509'
        ? ['-extfile', configuration, '-extensions', 'extensions']
        : command === 'req' && run.extensions !== ''
          ? ['-config', configuration, '-extensions', 'extensions']
          : ['-config', configuration];
    const result = spawnSync(program, [command, ...args, ...options], {
      cwd: folder,
      input: run.input ?? '',
      encoding: 'utf8',
    });
    if (result.error) throw new Error(`${program} cannot be run: ${result.error.message}`, { cause: result.error });
    if (result.status !== 0) throw new Error(`${program} ${command} failed: ${result.stderr.trim()}`);
    return result.stdout;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function configurationWith(extensions: string): string {
  return `
[req]
distinguished_name = name
prompt = no
[name]
CN = unused
[extensions]
${extensions}
${extensions === '' ? '' : 'subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid'}
[ca]
default_ca = authority
[authority]
database = index.txt
crlnumber = crlnumber
certificate = ${files.authority}
private_key = ${keyOf(files.authority)}
default_md = sha256
default_crl_days = ${days.crl}
unique_subject = no
`;
}
