// The PEM files of a TLS server that knows its clients by certificate: read together, checked to fit, with the instants they expire.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { messageOf } from '#ops/runtime/errors.ts';
import { crlExpiresAtMs, crlsOf } from './crl.ts';

export type TlsPaths = {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** Empty: none. */
  readonly crl: string;
};

export type TlsTexts = {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly crls: readonly string[];
};

export const tlsFileKinds = ['certificate', 'ca', 'crl'] as const;
export type TlsFileKind = (typeof tlsFileKinds)[number];

export type TlsFiles = {
  readonly texts: TlsTexts;
  /** Wall clock in ms of the first of each kind to expire; a kind that is not there, or never expires, is missing. */
  readonly expiresAtMs: ReadonlyMap<TlsFileKind, number>;
  /** Common name or first alternative name of the server. */
  readonly subject: string;
};

/** @throws with one sentence on what is wrong. */
export function readTlsFiles(paths: TlsPaths): TlsFiles {
  const cert = read(paths.cert);
  const key = read(paths.key);
  const ca = read(paths.ca);
  const crls = paths.crl === '' ? [] : crlsOf(read(paths.crl));
  if (paths.crl !== '' && crls.length === 0) throw new Error(`${paths.crl} holds no revocation list in PEM`);
  const [own] = certificatesOf(cert, paths.cert);
  if (!own) throw new Error(`${paths.cert} holds no certificate in PEM`);
  const authorities = certificatesOf(ca, paths.ca);
  if (authorities.length === 0) throw new Error(`${paths.ca} holds no certificate in PEM`);
  try {
    createSecureContext({ cert, key, ca, ...(crls.length > 0 ? { crl: crls } : {}) });
  } catch (error) {
    throw new Error(`${paths.cert} and ${paths.key} cannot be used together: ${messageOf(error)}`, { cause: error });
  }
  const crlEnds = crls.flatMap((crl) => crlExpiresAtMs(crl) ?? []);
  const ends: (readonly [TlsFileKind, readonly number[]])[] = [
    ['certificate', [expiresAtMs(own)]],
    ['ca', authorities.map(expiresAtMs)],
    ['crl', crlEnds],
  ];
  return {
    texts: { cert, key, ca, crls },
    expiresAtMs: new Map(ends.filter(([, all]) => all.length > 0).map(([kind, all]) => [kind, Math.min(...all)])),
    subject: own.subject.replaceAll('\n', ', '),
  };
}

export function expiresAtMs(certificate: X509Certificate): number {
  return Date.parse(certificate.validTo);
}

/** Whole days; negative when the instant has passed. */
export function daysLeft(atMs: number, nowMs: number): number {
  return Math.floor((atMs - nowMs) / 86_400_000);
}

function certificatesOf(pem: string, name: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new Error(`${name} holds a certificate that cannot be read: ${messageOf(error)}`, { cause: error });
    }
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
