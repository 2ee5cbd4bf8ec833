// PAP (RFC 2865 §5.2): reveals User-Password with each secret of the NAS and asks whether it is the stored password.
import { isUtf8 } from 'node:buffer';
import type { CredentialRecord } from '../subscribers/records.ts';
import { octetsAt } from '../wire/attributes.ts';
import { authenticatorOffset } from '../wire/authenticators.ts';
import type { Secret } from '../wire/md5.ts';
import { revealPassword } from '../wire/user-password.ts';
import { type Checked, type Credentials, unchecked } from './credentials.ts';
import { type Attempt, dropped, type Proof, proven, refused } from './proof.ts';

/** @param at offset of the User-Password attribute */
export function provePap(
  credentials: Credentials,
  attempt: Attempt,
  at: number,
  credential: CredentialRecord | undefined,
): Proof | Promise<Proof> {
  const { packet, nas, secrets, userName } = attempt;
  const hidden = octetsAt(packet, at);
  let readable: Secret | undefined;
  for (let i = 0; i < secrets.length; i++) {
    const secret = secrets[i] as Secret;
    const plain = revealPassword(hidden, secret, packet.data, packet.start + authenticatorOffset);
    if (!plain) return dropped('password_malformed');
    const checked = credentials.check(nas.tenantId, credential, plain, userName);
    if (checked instanceof Promise) return proveSlowly(credentials, attempt, hidden, credential, i, checked);
    if (checked !== 'wrong') return checked === 'right' && credential ? proven(credential, secret) : failed(checked);
    if (!readable && isReadable(plain)) readable = secret;
  }
  return refusal(attempt, credential, readable);
}

/** Goes on where a slow hash was asked for: with the passwords that the secrets reveal, as far as they can be one. */
async function proveSlowly(
  credentials: Credentials,
  attempt: Attempt,
  hidden: Buffer,
  credential: CredentialRecord | undefined,
  from: number,
  first: Promise<Checked>,
): Promise<Proof> {
  const { packet, nas, secrets, userName } = attempt;
  // Revealed before anything is awaited: the packet's memory is not ours.
  const plains = secrets.map((secret) =>
    Buffer.from(revealPassword(hidden, secret, packet.data, packet.start + authenticatorOffset) ?? []),
  );
  const readableAt = plains.findIndex(isReadable);
  for (let i = from; i < secrets.length; i++) {
    const plain = plains[i] as Buffer;
    // A wrong secret gives rubbish: not worth a slow hash.
    if (i > from && !isReadable(plain)) continue;
    const checked = await (i === from ? first : credentials.check(nas.tenantId, credential, plain, userName));
    if (checked === 'wrong') continue;
    return checked === 'right' && credential ? proven(credential, secrets[i] as Secret) : failed(checked);
  }
  return refusal(attempt, credential, secrets[readableAt]);
}

function failed(checked: Exclude<Checked, 'wrong'>): Proof {
  return unchecked(checked === 'right' ? 'unreadable' : checked);
}

/** @param readable the secret that reveals readable text; a wrong shared secret gives rubbish */
function refusal(
  { secrets, secret, proven: isProven }: Attempt,
  credential: CredentialRecord | undefined,
  readable: Secret | undefined,
): Proof {
  const signer = readable ?? secrets[0] ?? secret;
  return refused(credential ? 'wrong_password' : 'unknown_user', signer, undefined, !isProven && !readable);
}

/** Whether it can be a password: what a wrong shared secret reveals is rubbish. */
export function isReadable(plain: Buffer): boolean {
  return isUtf8(plain) && !plain.some((byte) => byte < 0x20 || byte === 0x7f);
}
