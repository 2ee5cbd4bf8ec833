// What subscribers log in by: user names with passwords, MAC addresses, lines. A password is encrypted for its tenant, realm and user name.
import { and, asc, eq, inArray, not, sql } from 'drizzle-orm';
import { openCrypt } from '#ops/runtime/crypt.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { PasswordScheme } from '#policy/credentials/password-scheme.ts';
import { storedValueProblem } from '#policy/credentials/stored-value.ts';
import { lineId, lineNames, macDigits, macName } from '#policy/credentials/vouched.ts';
import type { Tx } from '../database/connect.ts';
import { invalid, Problem } from '../problem.ts';
import type { CredentialBody, CredentialChange, Password } from './contract.ts';
import { credential, subscription } from './schema.ts';

type Name = { readonly realm: string; readonly userName: string };
export type Secret = { readonly scheme: PasswordScheme; readonly octets: Buffer };

const noSecret: Secret = { scheme: 'none', octets: Buffer.alloc(0) };
const isLogin = not(sql`starts_with(${credential.realm}, ':')`);

/** Gives a subscription something to log in by. What is left over from a terminated subscription is free to take. */
export async function addCredential(
  tx: Tx,
  keyring: Keyring,
  subscriptionId: number,
  body: CredentialBody,
): Promise<void> {
  const { tenantId } = tx.scope;
  const name = nameOf(body);
  const secret = body.kind === 'login' ? secretOf(body.password) : noSecret;
  requireOctets(name.userName);
  await releaseTerminated(tx, name);
  await tx.insert(credential).values({
    tenantId,
    subscriptionId,
    ...name,
    passwordScheme: secret.scheme,
    passwordCipher: keyring.encrypt('credential', place(tenantId, name), secret.octets),
  });
}

/** Changes the login of that id, or the first one the subscription has. */
export async function changeCredential(
  tx: Tx,
  keyring: Keyring,
  subscriptionId: number,
  change: CredentialChange,
  credentialId?: number,
): Promise<void> {
  const { tenantId } = tx.scope;
  const [before] = await tx
    .select()
    .from(credential)
    .where(
      and(
        eq(credential.subscriptionId, subscriptionId),
        isLogin,
        credentialId === undefined ? undefined : eq(credential.id, credentialId),
      ),
    )
    .orderBy(asc(credential.id))
    .limit(1)
    .for('update');
  if (!before) {
    throw credentialId === undefined
      ? invalid('', 'the subscription has no user name')
      : unknownCredential(credentialId);
  }
  const name: Name = { realm: before.realm, userName: change.user_name ?? before.userName };
  requireOctets(name.userName);
  if (name.userName !== before.userName) await releaseTerminated(tx, name);
  const secret: Secret =
    change.password === undefined
      ? {
          scheme: before.passwordScheme,
          octets: keyring.decrypt('credential', place(tenantId, before), before.passwordCipher),
        }
      : secretOf(change.password);
  await tx
    .update(credential)
    .set({
      userName: name.userName,
      passwordScheme: secret.scheme,
      passwordCipher: keyring.encrypt('credential', place(tenantId, name), secret.octets),
    })
    .where(eq(credential.id, before.id));
}

export async function removeCredential(tx: Tx, subscriptionId: number, credentialId: number): Promise<void> {
  const removed = await tx
    .delete(credential)
    .where(and(eq(credential.subscriptionId, subscriptionId), eq(credential.id, credentialId)))
    .returning({ id: credential.id });
  if (removed.length === 0) throw unknownCredential(credentialId);
}

function unknownCredential(id: number): Problem {
  return new Problem('credential_unknown', `the subscription has no credential ${id}`);
}

function nameOf(body: CredentialBody): Name {
  switch (body.kind) {
    case 'login':
      return { realm: body.realm ?? '', userName: body.user_name };
    case 'mac': {
      const digits = macDigits(body.mac);
      if (digits === undefined) throw invalid('/mac', 'is no MAC address');
      return macName(digits);
    }
    case 'line': {
      const [name] = lineNames(lineIdOf(body.circuit_id), lineIdOf(body.remote_id));
      if (!name) throw invalid('', 'a line has a circuit_id, a remote_id or both');
      return name;
    }
    default:
      return body satisfies never;
  }
}

/** As it is found on the wire: octets given in hexadecimal may be text there. */
function lineIdOf(given: string | undefined): string | undefined {
  if (given === undefined) return undefined;
  const octets = /^0x(?:[0-9a-f]{2})+$/i.test(given) ? Buffer.from(given.slice(2), 'hex') : Buffer.from(given);
  return lineId(octets.toString('latin1'));
}

/** Refuses a password that no login could ever be checked against. Before a transaction begins: it may compute a slow hash. */
export async function requireCheckable(password: Password | undefined): Promise<void> {
  if (password === undefined) return;
  const { scheme, octets } = secretOf(password);
  if (scheme !== 'crypt') return;
  const crypt = await openCrypt();
  if (typeof crypt === 'string') throw new Problem('password_scheme_unavailable', crypt);
  if ((await crypt.hash(Buffer.from('password'), octets)) === null) {
    throw new Problem('password_scheme_unavailable', "the system's crypt(3) does not know the method of this hash");
  }
}

/** What is stored of a password; refused when it is none of its scheme or costs more than a login may. */
export function secretOf(password: Password): Secret {
  if (typeof password === 'string') return { scheme: 'clear', octets: Buffer.from(password) };
  const { scheme, value } = password;
  const problem = storedValueProblem(scheme, value);
  if (problem) throw invalid('/password/value', problem);
  return { scheme, octets: Buffer.from(value) };
}

function place(tenantId: number, { realm, userName }: Name): string {
  return `${tenantId}:${realm}:${userName}`;
}

/** RFC 2865 §5: the value of an attribute is at most 253 octets. */
function requireOctets(userName: string): void {
  if (Buffer.byteLength(userName) > 253) throw invalid('/user_name', 'must not be longer than 253 octets');
}

async function releaseTerminated(tx: Tx, { realm, userName }: Name): Promise<void> {
  const ended = tx
    .select({ id: credential.id })
    .from(credential)
    .innerJoin(subscription, eq(subscription.id, credential.subscriptionId))
    .where(
      and(eq(credential.realm, realm), eq(credential.userName, userName), sql`${subscription.status} = 'terminated'`),
    );
  await tx.delete(credential).where(inArray(credential.id, ended));
}
