// Why a login was refused or not answered, in words for staff: the reasons beside those of the access table.
import { reasonSentences } from './sentences.ts';

const refusals: Readonly<Record<string, string>> = {
  no_user_name: 'The request names no user.',
  no_password: 'The request carries no password, or half of a challenge and its answer.',
  unsupported_method: 'The method of authentication is not spoken here.',
  unknown_user: 'No login, device or line of this name exists.',
  wrong_password: 'The password is wrong.',
  session_limit: 'As many sessions as allowed are alive at other places.',
  mac_not_allowed: 'The subscription is bound to other devices, or the request names no device.',
  pool_exhausted: 'The address pool and its fallbacks have nothing free.',
  speed_policy_missing:
    'The access server is told speeds by name, and no name is known for any speed: it would give no limit at all.',
  unsuitable_scheme: 'The password is stored in a form that cannot serve this method.',
  eap_malformed: 'The EAP message is broken.',
  eap_no_common_method: 'No method of EAP is spoken by both sides.',
  eap_state_unknown: 'The EAP conversation is not known here: it is over, or another server led it.',
  eap_tls_failed: 'The TLS handshake within EAP failed.',
  certificate_refused: 'The certificate of the subscriber is not accepted.',
  eap_tls_not_of_tenant: 'The certificates of EAP belong to another tenant.',
  home_server_rejected: 'The home server of the realm rejected it.',
  home_server_unreachable: 'No home server of the realm answered, and the realm rejects logins then.',
  device_login_refused:
    'A login to the device itself: only device users may, with the right password, enabled, in time and at this access server.',
  nas_draining: 'The access server is drained: new logins are kept away from it.',
};

const silences: Readonly<Record<string, string>> = {
  snapshot_incomplete: 'The copy of the subscribers on this node is not complete, so nothing is answered.',
  stored_password_unreadable: 'The stored password cannot be decrypted: a key is missing from LASTMILE_SECRET_KEY.',
  password_scheme_unavailable: 'This system has no function for the hash in which the password is stored.',
  password_hash_busy: 'Too many slow password hashes wait.',
  password_malformed: 'The password in the request is broken.',
  two_passwords: 'The request carries two passwords.',
  overload: 'The worker is behind: new logins are answered in part.',
  too_many_in_progress: 'Too many logins are in progress.',
  addresses_unavailable:
    'Nobody can say at present whether the pool has an address free: Redis is away, or the pool recovers.',
  reply_too_long: 'The answer does not fit into a packet of 4096 octets.',
  forwarded: 'Nothing is decided here: the realm is forwarded to its home servers.',
  proxy_loop: 'The request went through this node before: a home server forwards it back.',
  proxy_too_many_hops: 'The request went through too many proxies.',
  proxy_unreachable: 'No home server of the realm answered.',
  proxy_busy: 'As many requests as allowed wait for the home servers of the realm.',
  proxy_too_long: 'With our Proxy-State the request does not fit into a packet of 4096 octets.',
  no_answer:
    'Nothing was decided for longer than any access server waits: a slow hash or a home server takes too long.',
  handler_error: 'The login ended in an error of ours; the log has it.',
};

/** A sentence for every reason of a reject, and of an Access-Request without an answer; an unknown one stands for itself. */
export function loginSentence(reason: string): string {
  const known: Readonly<Record<string, string>> = { ...reasonSentences, ...refusals, ...silences };
  return (Object.hasOwn(known, reason) ? known[reason] : undefined) ?? reason;
}
