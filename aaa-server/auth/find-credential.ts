// Whose user name it is: the whole name in the tenant's default realm, else split at its last '@'.
import type { CredentialRecord, SnapshotReader } from '../subscribers/records.ts';

export function findCredential(
  snapshot: Pick<SnapshotReader, 'credential'>,
  tenantId: number,
  userName: string,
): CredentialRecord | undefined {
  const whole = snapshot.credential(tenantId, '', userName);
  if (whole) return whole;
  const at = userName.lastIndexOf('@');
  return at > 0 && at < userName.length - 1
    ? snapshot.credential(tenantId, userName.slice(at + 1), userName.slice(0, at))
    : undefined;
}
