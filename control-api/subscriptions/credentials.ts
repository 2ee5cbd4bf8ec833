// User names and passwords of subscriptions. A password is encrypted for its tenant, realm and user name.
import { and, asc, eq, inArray, sql } from 'drizzle-orm';
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { Tx } from '../database/connect.ts';
import { invalid } from '../problem.ts';
import { credential, subscription } from './schema.ts';

type NewCredential = { realm: string; userName: string; password: string };

/** Gives a subscription its user name. One left over from a terminated subscription is free to take. */
export async function addCredential(
  tx: Tx,
  keyring: Keyring,
  subscriptionId: number,
  { realm, userName, password }: NewCredential,
): Promise<void> {
  const { tenantId } = tx.scope;
  requireOctets(userName);
  await releaseTerminated(tx, realm, userName);
  await tx.insert(credential).values({
    tenantId,
    subscriptionId,
    realm,
    userName,
    passwordCipher: keyring.encrypt('credential', place(tenantId, realm, userName), Buffer.from(password)),
  });
}

export async function changeCredential(
  tx: Tx,
  keyring: Keyring,
  subscriptionId: number,
  change: { userName: string | undefined; password: string | undefined },
): Promise<void> {
  const { tenantId } = tx.scope;
  const [before] = await tx
    .select()
    .from(credential)
    .where(eq(credential.subscriptionId, subscriptionId))
    .orderBy(asc(credential.id))
    .limit(1)
    .for('update');
  if (!before) throw invalid('', 'the subscription has no user name');
  const { realm } = before;
  const userName = change.userName ?? before.userName;
  requireOctets(userName);
  if (userName !== before.userName) await releaseTerminated(tx, realm, userName);
  const password =
    change.password === undefined
      ? keyring.decrypt('credential', place(tenantId, realm, before.userName), before.passwordCipher)
      : Buffer.from(change.password);
  const passwordCipher = keyring.encrypt('credential', place(tenantId, realm, userName), password);
  await tx.update(credential).set({ userName, passwordCipher }).where(eq(credential.id, before.id));
}

function place(tenantId: number, realm: string, userName: string): string {
  return `${tenantId}:${realm}:${userName}`;
}

/** RFC 2865 §5: the value of an attribute is at most 253 octets. */
function requireOctets(userName: string): void {
  if (Buffer.byteLength(userName) > 253) throw invalid('/user_name', 'must not be longer than 253 octets');
}

async function releaseTerminated(tx: Tx, realm: string, userName: string): Promise<void> {
  const ended = tx
    .select({ id: credential.id })
    .from(credential)
    .innerJoin(subscription, eq(subscription.id, credential.subscriptionId))
    .where(
      and(eq(credential.realm, realm), eq(credential.userName, userName), sql`${subscription.status} = 'terminated'`),
    );
  await tx.delete(credential).where(inArray(credential.id, ended));
}
