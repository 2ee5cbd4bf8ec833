// Passwords as systems before us stored them: hashes that are slow on purpose, of the costs that their makers recommend.
import { randomBytes } from 'node:crypto';
import { openCrypt } from '#ops/runtime/crypt.ts';

/** bcrypt at 10, the default of PHP before 8.4; sha512-crypt with its default of 5000 rounds. */
const bcryptCost = 10;
const cryptDigits = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * So many hashes of the password for crypt(3), each with a salt of its own, sha512-crypt and bcrypt in turn: what every server under test
 * can check. Subscribers share them: checking one costs the same.
 */
export async function slowPasswords(password: string, count: number): Promise<string[]> {
  const crypt = await openCrypt();
  if (typeof crypt === 'string') throw new Error(`hashes cannot be made here: ${crypt}`);
  const made: string[] = [];
  for (let index = 0; index < count; index++) {
    const setting = index % 2 === 1 ? `$2b$${bcryptCost}$${salt(21)}u` : `$6$${salt(16)}`;
    const stored = await crypt.hash(Buffer.from(password), Buffer.from(setting));
    if (stored === null) throw new Error(`crypt(3) refuses ${setting}`);
    made.push(stored);
  }
  return made;
}

function salt(digits: number): string {
  return Array.from(randomBytes(digits), (octet) => cryptDigits[octet % 64]).join('');
}
