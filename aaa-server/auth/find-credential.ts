// Whose user name it is: the whole name in the tenant's default realm, else split at its last '@', else behind a Windows domain.
import { reservedRealm } from '#policy/credentials/vouched.ts';
import type { CredentialRecord, SnapshotReader } from '../subscribers/records.ts';

export function findCredential(
  snapshot: Pick<SnapshotReader, 'credential'>,
  tenantId: number,
  userName: string,
): CredentialRecord | undefined {
  const whole = snapshot.credential(tenantId, '', userName);
  if (whole) return whole;
  const at = userName.lastIndexOf('@');
  if (at > 0 && at < userName.length - 1) {
    const realm = userName.slice(at + 1);
    // What an access server vouches for cannot be asked for by name.
    const found = reservedRealm.test(realm) ? undefined : snapshot.credential(tenantId, realm, userName.slice(0, at));
    if (found) return found;
  }
  const behind = userName.indexOf('\\') + 1;
  if (behind <= 1 || behind === userName.length) return undefined;
  const domain = userName.slice(0, behind - 1);
  const name = userName.slice(behind);
  const found = reservedRealm.test(domain) ? undefined : snapshot.credential(tenantId, domain, name);
  return found ?? snapshot.credential(tenantId, '', name);
}
