// MD5 and HMAC-MD5 of our own against the vectors of RFC 1321 and RFC 2202, and against OpenSSL on anything.
import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import {
  addMd5,
  beginHmacMd5,
  beginMd5,
  createSecret,
  digestEquals,
  finishHmacMd5,
  finishMd5,
  hmacMd5Into,
  maxSecretLength,
  md5Into,
  sameDigest,
} from '#aaa-server/wire/md5.ts';
import { runs } from '#test/support/effort.ts';

const md5 = (data: Buffer) => {
  const digest = Buffer.alloc(16);
  md5Into(data, 0, data.length, digest, 0);
  return digest.toString('hex');
};
const hmac = (key: Buffer, data: Buffer) => {
  const digest = Buffer.alloc(16);
  hmacMd5Into(createSecret(key), data, 0, data.length, digest, 0);
  return digest.toString('hex');
};

t.test('the test suite of RFC 1321 §A.5', async (t) => {
  const suite = [
    ['', 'd41d8cd98f00b204e9800998ecf8427e'],
    ['a', '0cc175b9c0f1b6a831c399e269772661'],
    ['abc', '900150983cd24fb0d6963f7d28e17f72'],
    ['message digest', 'f96b697d7cb7938d525a2f31aaf161d0'],
    ['abcdefghijklmnopqrstuvwxyz', 'c3fcd3d76192e4007dfb496cca67e13b'],
    ['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789', 'd174ab98d277d9f5a5611c2c9f419d9f'],
    ['1234567890'.repeat(8), '57edf4a22be3c955ac49da2e2107b67a'],
  ] as const;
  for (const [text, digest] of suite) t.equal(md5(Buffer.from(text)), digest, text);
});

t.test('the HMAC-MD5 test cases of RFC 2202 §2', async (t) => {
  const cases = [
    [Buffer.alloc(16, 0x0b), Buffer.from('Hi There'), '9294727a3638bb1c13f48ef8158bfc9d'],
    [Buffer.from('Jefe'), Buffer.from('what do ya want for nothing?'), '750c783e6ab0b503eaa86e310a5db738'],
    [Buffer.alloc(16, 0xaa), Buffer.alloc(50, 0xdd), '56be34521d144c88dbb8c733f0e8b3f6'],
    [
      Buffer.from(Array.from({ length: 25 }, (_, i) => i + 1)),
      Buffer.alloc(50, 0xcd),
      '697eaf0aca3a3aea3a75164746ffaa79',
    ],
    [Buffer.alloc(16, 0x0c), Buffer.from('Test With Truncation'), '56461ef2342edc00f9bab995690efd4c'],
    [
      Buffer.alloc(80, 0xaa),
      Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First'),
      '6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd',
    ],
    [
      Buffer.alloc(80, 0xaa),
      Buffer.from('Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data'),
      '6f630fad67cda0ee1fb1f562db3aa53e',
    ],
  ] as const;
  for (const [key, data, digest] of cases) t.equal(hmac(key, data), digest);
});

t.test('every length around a block, and the longest packet', async (t) => {
  for (const length of [...Array.from({ length: 260 }, (_, i) => i), 4095, 4096, 5120]) {
    const data = Buffer.alloc(length, length);
    const expected = createHash('md5').update(data).digest('hex');
    if (md5(data) !== expected) t.fail(`${length} octets`);
  }
  t.pass('as OpenSSL has it');
});

t.test('any octets in any pieces, at any offset, are hashed as OpenSSL hashes them', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 150 }), { maxLength: 5 }),
      fc.uint8Array({ minLength: 1, maxLength: 150 }),
      fc.nat(9),
      (pieces, key, offset) => {
        const digest = Buffer.alloc(offset + 16);
        const add = () => {
          for (const piece of pieces) {
            const shifted = Buffer.concat([Buffer.alloc(offset, 7), piece, Buffer.alloc(3, 9)]);
            addMd5(shifted, offset, offset + piece.length);
          }
        };
        const whole = Buffer.concat(pieces);
        beginMd5();
        add();
        finishMd5(digest, offset);
        const plain = digest.toString('hex', offset);
        const secret = createSecret(Buffer.from(key));
        beginHmacMd5(secret);
        add();
        finishHmacMd5(secret, digest, offset);
        const keyed = digest.toString('hex', offset);
        return (
          plain === createHash('md5').update(whole).digest('hex') &&
          keyed === createHmac('md5', key).update(whole).digest('hex')
        );
      },
    ),
    { numRuns: runs(300) },
  );
  t.pass('plain and keyed');
});

t.test('digests differ when any of their 128 bits does', async (t) => {
  const digest = createHash('md5').update('x').digest();
  const placed = Buffer.concat([Buffer.alloc(5), digest]);
  t.ok(sameDigest(digest, 0, placed, 5));
  t.ok(digestEquals(placed, 5, (target, at) => void digest.copy(target, at)));
  for (let bit = 0; bit < 128; bit++) {
    const other = Buffer.from(placed);
    other[5 + (bit >> 3)]! ^= 1 << (bit & 7);
    if (sameDigest(digest, 0, other, 5)) t.fail(`bit ${bit}`);
    if (digestEquals(other, 5, (target, at) => void digest.copy(target, at))) t.fail(`bit ${bit}`);
  }
  t.notOk(sameDigest(digest, 0, placed, 4));
});

t.test('a secret is neither empty nor endless', async (t) => {
  t.throws(() => createSecret(Buffer.alloc(0)), /1 to 1024 octets, not 0/);
  t.throws(() => createSecret(Buffer.alloc(maxSecretLength + 1)), /not 1025/);
  t.equal(createSecret(Buffer.alloc(maxSecretLength)).octets.length, maxSecretLength);
});
