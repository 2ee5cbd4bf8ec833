// The doctor's check of EAP: whether the methods that are wanted can be offered.
import { X509Certificate } from 'node:crypto';
import { type EapSettings, eapIdentity, methodsWithout } from '#ops/runtime/eap-identity.ts';
import { bad, type Finding, ok, warn } from './finding.ts';

const subject = 'EAP';
const soonMs = 30 * 86_400_000;

export function checkEap(settings: EapSettings, nowMs: number): Finding {
  const read = eapIdentity(settings);
  if (!read.ok) return bad(subject, read.problem, 'correct it');
  const { identity } = read;
  const without = methodsWithout(identity, settings.EAP_METHODS);
  if (without.length > 0) {
    return warn(
      subject,
      `${without.join(', ')} cannot be offered without certificates`,
      'set EAP_TLS_CERT_FILE and EAP_TLS_KEY_FILE, for tls also EAP_TLS_CA_FILE, or leave them out of EAP_METHODS',
    );
  }
  if (identity) {
    const endsMs = Date.parse(new X509Certificate(identity.cert).validTo);
    if (endsMs < nowMs + soonMs) {
      return warn(subject, `the certificate ends on ${new Date(endsMs).toISOString()}`, 'renew EAP_TLS_CERT');
    }
  }
  if (identity && settings.EAP_METHODS.includes('tls') && identity.tenant === '') {
    return warn(
      subject,
      'tls is refused as soon as there are two tenants: a certificate does not say whose subscriber it is',
      'set EAP_TLS_TENANT to the tenant whose certificates EAP_TLS_CA signs, or leave tls out of EAP_METHODS',
    );
  }
  return ok(subject, settings.EAP_METHODS.join(', ') || 'not offered');
}
