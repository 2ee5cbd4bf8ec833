// Where the password of a member of staff belongs: in a realm that no subscriber can have or type, so that neither is ever taken for the other.

export const deviceRealm = ':device';

/** The place that the ciphertext of the password is bound to. */
export function devicePlace(tenantId: number, userName: string): string {
  return `${tenantId}:${deviceRealm}:${userName}`;
}
