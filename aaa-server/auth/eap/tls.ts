// EAP-TLS (RFC 5216; with TLS 1.3 RFC 9190): the subscriber is proven by a certificate.
import { eapType } from '../../wire/eap.ts';
import { failure, type MethodContext } from './method.ts';
import type { PeerNames, TlsSession } from './tls-session.ts';
import { type Inside, type TunnelKind, type TunnelTurn, tunnelKeys } from './tunnel.ts';

/** With TLS 1.3 this octet says that nothing more comes of the handshake (RFC 9190 §2.1.1). */
const protectedSuccess = Buffer.of(0);

export const tlsTunnel: TunnelKind = {
  type: eapType.tls,
  requestCertificate: true,
  create(context, session): Inside {
    return {
      opened(): TunnelTurn {
        const result = resultOf(context, session);
        return session.isVersion13() && result.kind === 'success'
          ? { kind: 'say', plain: protectedSuccess, after: result }
          : result;
      },
      heard: () => failure('eap_malformed'),
      close: () => undefined,
    };
  },
};

function resultOf({ tenantId, identity, credentials }: MethodContext, session: TlsSession) {
  const peer = session.peerNames();
  const userName = peer && userNameOf(peer, identity);
  if (!userName) return failure('certificate_refused');
  const credential = credentials.find(tenantId, userName);
  if (!credential) return failure('unknown_user');
  return { kind: 'success', credential, keys: tunnelKeys(session, 'client EAP encryption', eapType.tls) } as const;
}

/** The identity where the certificate bears it; an anonymous one (`@realm` or `anonymous`) stands for the common name. */
function userNameOf({ commonName, names }: PeerNames, identity: string): string | undefined {
  const local = identity.split('@')[0];
  if (local === '' || local === 'anonymous') return commonName;
  return names.includes(identity) ? identity : undefined;
}
