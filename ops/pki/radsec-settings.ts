// The settings of RadSec that both `npm start` (for the doctor) and aaa-server read.
import { port, text } from '#ops/runtime/settings.ts';
import type { TlsPaths } from './tls-files.ts';

export const radsecFileSettings = {
  RADSEC_PORT: port({ default: 2083, description: 'TCP port of RadSec (RADIUS over TLS)' }),
  RADSEC_CERT: text({
    default: '',
    description: 'PEM file with the certificate (and chain) of the RadSec server; RadSec is off without it',
  }),
  RADSEC_KEY: text({ default: '', description: 'PEM file with the private key of RADSEC_CERT' }),
  RADSEC_CA: text({ default: '', description: 'PEM file with the authorities that sign access servers' }),
  RADSEC_CRL: text({
    default: '',
    description:
      'PEM file with a revocation list of each authority; empty: none is taken back. The four files are read again when they change',
  }),
};

export type RadsecFileSettings = {
  readonly RADSEC_PORT: number;
  readonly RADSEC_CERT: string;
  readonly RADSEC_KEY: string;
  readonly RADSEC_CA: string;
  readonly RADSEC_CRL: string;
};

export type RadsecFiles =
  | { readonly kind: 'off' }
  | { readonly kind: 'on'; readonly paths: TlsPaths }
  | { readonly kind: 'wrong'; readonly problems: readonly string[] };

export function radsecFiles(settings: RadsecFileSettings): RadsecFiles {
  const { RADSEC_CERT: cert, RADSEC_KEY: key, RADSEC_CA: ca, RADSEC_CRL: crl } = settings;
  if (cert === '' && key === '' && ca === '' && crl === '') return { kind: 'off' };
  const needed = { RADSEC_CERT: cert, RADSEC_KEY: key, RADSEC_CA: ca };
  const missing = Object.entries(needed).flatMap(([name, value]) => (value === '' ? [name] : []));
  if (missing.length === 0) return { kind: 'on', paths: { cert, key, ca, crl } };
  return {
    kind: 'wrong',
    problems: missing.map((name) => `${name} is required: another setting of RadSec turns it on`),
  };
}
