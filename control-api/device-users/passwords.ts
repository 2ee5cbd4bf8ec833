// What is stored of a device user's password: given in clear, as another system stored it, or made here.
import { randomBytes } from 'node:crypto';
import type { PasswordScheme } from '#policy/credentials/password-scheme.ts';
import { hashPassword } from '../auth/password.ts';
import { invalid } from '../problem.ts';
import { requireCheckable, secretOf } from '../subscriptions/credentials.ts';
import type { DeviceUserBody } from './contract.ts';

export type NewPassword = {
  readonly scheme: PasswordScheme;
  readonly octets: Buffer;
  /** Made here: to be shown once. */
  readonly made: string | null;
};

/** Before a transaction begins: a hash takes its time. */
export async function newPassword({
  password,
  store,
}: Pick<DeviceUserBody, 'password' | 'store'>): Promise<NewPassword> {
  if (typeof password === 'object') {
    if (store !== undefined) throw invalid('/store', 'a stored form is kept as it is');
    await requireCheckable(password);
    return { ...secretOf(password), made: null };
  }
  const made = password === undefined ? randomPassword() : null;
  const text = password ?? made ?? '';
  if (store === 'clear') return { scheme: 'clear', octets: Buffer.from(text), made };
  return { scheme: 'argon2', octets: Buffer.from(await hashPassword(text)), made };
}

/** 120 random bits in characters that every console takes. */
function randomPassword(): string {
  return randomBytes(15).toString('base64url');
}
