// With which certificates EAP is offered, and which of its methods need them. Apart from the settings: workers need no schemas.
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { type EapMethodName, eapMethodsWithTls } from '#policy/credentials/eap-methods.ts';
import { crlsOf } from '../pki/crl.ts';
import { messageOf } from './errors.ts';

export type EapSettings = {
  readonly EAP_METHODS: readonly EapMethodName[];
  readonly EAP_TLS_CERT: string;
  readonly EAP_TLS_KEY: string;
  readonly EAP_TLS_CA: string;
  readonly EAP_TLS_CRL: string;
  readonly EAP_TLS_TENANT: string;
};

/**
 * PEM texts. `ca`: who signs the certificates of subscribers; empty: nobody. `crl`: which of these are revoked; empty: not looked for.
 * `tenant`: slug of the tenant whose subscribers they are; empty: the only one.
 */
export type TlsIdentity = {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly crl: string;
  readonly tenant: string;
};

/** The identity that the settings give, null when they give none; or what is wrong with them. */
export function eapIdentity(
  settings: EapSettings,
): { readonly ok: true; readonly identity: TlsIdentity | null } | { readonly ok: false; readonly problem: string } {
  const { EAP_TLS_CERT: cert, EAP_TLS_KEY: key, EAP_TLS_CA: ca, EAP_TLS_CRL: crl, EAP_TLS_TENANT: tenant } = settings;
  if (cert === '' && key === '') return { ok: true, identity: null };
  if (cert === '' || key === '') return { ok: false, problem: 'EAP_TLS_CERT and EAP_TLS_KEY belong together' };
  try {
    createSecureContext({ cert, key, ...(ca === '' ? {} : { ca }), ...(crl === '' ? {} : { crl: crlsOf(crl) }) });
    if (ca !== '') new X509Certificate(ca);
  } catch (error) {
    return {
      ok: false,
      problem: `EAP_TLS_CERT, EAP_TLS_KEY, EAP_TLS_CA or EAP_TLS_CRL cannot be used: ${messageOf(error)}`,
    };
  }
  return { ok: true, identity: { cert, key, ca, crl, tenant } };
}

/** The methods that are wanted and cannot be offered with this identity. */
export function methodsWithout(identity: TlsIdentity | null, methods: readonly EapMethodName[]): EapMethodName[] {
  return methods.filter(
    (method) => eapMethodsWithTls.includes(method) && (!identity || (method === 'tls' && identity.ca === '')),
  );
}
