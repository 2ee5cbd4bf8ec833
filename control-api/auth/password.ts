// Password hashes: Argon2id (RFC 9106) in the PHC text form, computed off the main thread.
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';

const memoryKib = 19_456;
const passes = 2;
const parallelism = 1;
const tagLength = 32;

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const tag = await derive(password, salt, { memoryKib, passes, parallelism, tagLength });
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${parallelism}$${base64(salt)}$${base64(tag)}`;
}

/** Whether `password` is the one of `hash`; a hash of another form fits no password. */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(hash);
  if (!match) return false;
  const [, memory, time, lanes, salt = '', tag = ''] = match;
  const expected = Buffer.from(tag, 'base64');
  const actual = await derive(password, Buffer.from(salt, 'base64'), {
    memoryKib: Number(memory),
    passes: Number(time),
    parallelism: Number(lanes),
    tagLength: expected.length,
  });
  return timingSafeEqual(actual, expected);
}

type Cost = { memoryKib: number; passes: number; parallelism: number; tagLength: number };

function derive(password: string, nonce: Buffer, cost: Cost): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    argon2(
      'argon2id',
      {
        message: password.normalize('NFC'),
        nonce,
        memory: cost.memoryKib,
        passes: cost.passes,
        parallelism: cost.parallelism,
        tagLength: cost.tagLength,
      },
      (error, tag) => (error ? reject(error) : resolve(tag)),
    ),
  );
}

function base64(data: Buffer): string {
  return data.toString('base64').replaceAll('=', '');
}
