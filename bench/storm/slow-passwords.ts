// Passwords as systems before us stored them: hashes that are slow on purpose, of the costs that their makers recommend.
import { argon2Sync, randomBytes } from 'node:crypto';
import { openCrypt } from '#ops/runtime/crypt.ts';

export type SlowPassword = { readonly scheme: 'crypt' | 'argon2'; readonly stored: string };

/** sha512-crypt with its default of 5000 rounds; bcrypt at 10, the default of PHP before 8.4; Argon2id at the least that OWASP recommends. */
const bcryptCost = 10;
const argon = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 } as const;
const cryptDigits = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * So many hashes of the password, each with a salt of its own, the kinds in turn. Subscribers share them: checking one costs the same.
 * @param kinds what the server under test can check
 */
export async function slowPasswords(
  password: string,
  count: number,
  kinds: readonly ('sha512' | 'bcrypt' | 'argon2')[],
): Promise<SlowPassword[]> {
  const crypt = await openCrypt();
  if (typeof crypt === 'string') throw new Error(`hashes cannot be made here: ${crypt}`);
  const made: SlowPassword[] = [];
  for (let index = 0; index < count; index++) {
    const kind = kinds[index % kinds.length];
    if (kind === 'argon2') {
      made.push({ scheme: 'argon2', stored: argon2Of(password) });
      continue;
    }
    const setting = kind === 'bcrypt' ? `$2b$${bcryptCost}$${salt(21)}u` : `$6$${salt(16)}`;
    const stored = await crypt.hash(Buffer.from(password), Buffer.from(setting));
    if (stored === null) throw new Error(`crypt(3) refuses ${setting}`);
    made.push({ scheme: 'crypt', stored });
  }
  return made;
}

function argon2Of(password: string): string {
  const nonce = randomBytes(16);
  const tag = argon2Sync('argon2id', { message: password, nonce, ...argon });
  const text = (octets: Buffer) => octets.toString('base64').replaceAll('=', '');
  return `$argon2id$v=19$m=${argon.memory},t=${argon.passes},p=${argon.parallelism}$${text(nonce)}$${text(tag)}`;
}

function salt(digits: number): string {
  return Array.from(randomBytes(digits), (octet) => cryptDigits[octet % 64]).join('');
}
