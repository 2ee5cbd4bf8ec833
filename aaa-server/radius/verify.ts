// Who made a request: checks Message-Authenticator and Request Authenticator with the secrets of the NAS (RFC 3579 §3.2, RFC 2866 §3).
import type { NasClient } from '../auth/nas-table.ts';
import type { DropReason } from '../counters.ts';
import { attribute, firstAttribute } from '../wire/attributes.ts';
import { verifyRequest } from '../wire/authenticators.ts';
import type { Check } from '../wire/check-together.ts';
import type { Secret } from '../wire/md5.ts';
import { verifyMessageAuthenticator } from '../wire/message-authenticator.ts';
import { code, type Packet } from '../wire/packet.ts';

/** `secret` null: nothing in the request proves its maker (an Access-Request without Message-Authenticator). */
export type Verified =
  | { readonly ok: true; readonly secret: Secret | null }
  | { readonly ok: false; readonly reason: DropReason };

const unproven: Verified = { ok: true, secret: null };

/**
 * Access-Request: Message-Authenticator when present; without one it is only let through when it carries no EAP-Message (RFC 3579) and
 * the NAS demands none, nor for what has Proxy-State (CVE-2024-3596). EAP and a password in one request contradict each other.
 * Status-Server: always required (RFC 5997). Accounting-Request: by its Request Authenticator, and Message-Authenticator when present. Over TLS a
 * Message-Authenticator may be absent, never wrong. `check`: of this packet, where it was checked with others.
 */
export function verifyMaker(packet: Packet, client: NasClient, check?: Check): Verified {
  if (packet.code === code.accountingRequest) {
    const secret = secretThat(client, (secret) => verifyRequest(packet, secret));
    if (!secret) return refused('bad_request_authenticator');
    if (packet.messageAuthenticatorAt >= 0 && !verifyMessageAuthenticator(packet, secret)) {
      return refused('bad_message_authenticator');
    }
    return { ok: true, secret };
  }
  if (packet.hasEap && packet.code === code.accessRequest && hasPassword(packet)) return refused('eap_with_password');
  if (packet.messageAuthenticatorAt >= 0) {
    const secret = secretThat(client, (secret) =>
      secret === check?.secret ? check.isRight : verifyMessageAuthenticator(packet, secret),
    );
    if (!secret) return refused('bad_message_authenticator');
    if (packet.code === code.accessRequest) client.trust.proved(packet);
    return { ok: true, secret };
  }
  // What came through TLS was made by who holds the certificate: nothing else has to prove it.
  if (client.secured) return { ok: true, secret: client.secrets[0] ?? null };
  if (packet.code === code.statusServer) return refused('message_authenticator_required_by_status_server');
  if (client.trust.requiresMessageAuthenticator()) return refused('message_authenticator_required');
  if (packet.hasEap) return refused('message_authenticator_required_by_eap');
  if (firstAttribute(packet, attribute.proxyState) >= 0 && client.trust.limitsProxyState()) {
    return refused('message_authenticator_required_by_proxy_state');
  }
  return unproven;
}

function hasPassword(packet: Packet): boolean {
  return (
    firstAttribute(packet, attribute.userPassword) >= 0 ||
    firstAttribute(packet, attribute.chapPassword) >= 0 ||
    firstAttribute(packet, attribute.arapPassword) >= 0
  );
}

/** The secret that passes, tried from the one that did last; undefined when none does. */
function secretThat(client: NasClient, passes: (secret: Secret) => boolean): Secret | undefined {
  for (let i = 0; i < client.secrets.length; i++) {
    const index = (client.lastVerified + i) % client.secrets.length;
    const secret = client.secrets[index];
    if (!secret || !passes(secret)) continue;
    client.lastVerified = index;
    return secret;
  }
  return undefined;
}

function refused(reason: DropReason): Verified {
  return { ok: false, reason };
}
