// Whose login a name is, by the very look-ups of a login, and what its stored password can serve.
import { methodsServed, type PasswordMethod, passwordMethods } from '#policy/credentials/password-scheme.ts';
import { kindOf, lineOf } from '#policy/credentials/vouched.ts';
import { findCredential } from '../auth/find-credential.ts';
import type { NasClient } from '../auth/nas-table.ts';
import { vouchedFor } from '../auth/vouched.ts';
import type { CredentialRecord, SnapshotReader } from '../subscribers/records.ts';
import type { Secret } from '../wire/md5.ts';
import type { Packet } from '../wire/packet.ts';

export type UserFound = {
  readonly credential: CredentialRecord | undefined;
  readonly shown: ShownUser;
};

export type ShownUser = {
  readonly user_name: string;
  /** As it is stored; null: nobody's. */
  readonly credential: {
    readonly kind: 'login' | 'mac' | 'line';
    readonly user_name: string;
    readonly realm: string;
    readonly scheme: string;
    readonly subscription_id: number;
  } | null;
  readonly matched_by: 'whole_name' | 'realm' | 'domain' | 'domain_left_out' | 'mac' | 'line' | 'device_user' | null;
  readonly rule: string;
  readonly methods: readonly { readonly method: PasswordMethod; readonly possible: boolean; readonly why: string }[];
};

/** @param packet the request of the question */
export function findUser(
  snapshot: Pick<SnapshotReader, 'credential'>,
  { record: nas, secrets }: NasClient,
  secret: Secret,
  userName: string,
  packet: Packet,
): UserFound {
  const attempt = { packet, nas, userName, secrets, secret, proven: true };
  const credential = findCredential(snapshot, nas.tenantId, userName) ?? vouchedFor(snapshot, attempt);
  return { credential, shown: show(userName, credential) };
}

function show(userName: string, credential: CredentialRecord | undefined): ShownUser {
  if (!credential) {
    const rule = `no login has the name ${userName}, whole, before its last '@' in that realm or behind its domain, and no MAC address or line of the request is known`;
    return { user_name: userName, credential: null, matched_by: null, rule, methods: [] };
  }
  const kind = kindOf(credential.realm);
  const line = kind === 'line' ? lineOf(credential) : undefined;
  const name = line ? [line.circuitId, line.remoteId].filter((id) => id !== null).join(' ') : credential.userName;
  const [matchedBy, rule] = ruleOf(userName, credential, name);
  return {
    user_name: userName,
    credential: {
      kind,
      user_name: name,
      realm: kind === 'login' ? credential.realm : '',
      scheme: credential.scheme,
      subscription_id: credential.subscriptionId,
    },
    matched_by: matchedBy,
    rule,
    methods: kind === 'login' ? methodsOf(credential) : [],
  };
}

function ruleOf(
  userName: string,
  { realm, userName: stored }: CredentialRecord,
  name: string,
): [ShownUser['matched_by'], string] {
  const kind = kindOf(realm);
  if (kind === 'mac') return ['mac', `the access server vouches for the MAC address ${name}: no password is asked for`];
  if (kind === 'line') return ['line', `the access server vouches for the line ${name}: no password is asked for`];
  if (realm === '' && stored === userName) return ['whole_name', 'the whole name, in the default realm'];
  if (userName === `${stored}@${realm}`) return ['realm', `the name before the last '@', in the realm ${realm}`];
  if (realm !== '') return ['domain', `the name behind the domain ${realm}, which is its realm`];
  return ['domain_left_out', 'the name behind its domain, in the default realm: nobody has it in a realm of that name'];
}

function methodsOf({ scheme }: CredentialRecord): ShownUser['methods'] {
  const served = methodsServed(scheme);
  const stored = scheme === 'clear' ? 'the password is stored encrypted' : `the password is stored as ${scheme}`;
  return passwordMethods.map((method) => {
    const possible = served.includes(method);
    const why = possible
      ? stored
      : `${stored}, and ${method} needs ${method.includes('mschap') ? 'it or its NT hash' : 'it itself'}`;
    return { method, possible, why };
  });
}
