// SipHash-2-4 of our own against the vectors of its authors.
import t from 'tap';
import { sipHashInto, sipKey } from '#aaa-server/accounting/siphash.ts';

/** From `vectors` of the reference implementation: key 00 01 … 0f, message 00 01 … of every length from 0 on. */
const vectors = [
  '310e0edd47db6f72',
  'fd67dc93c539f874',
  '5a4fa9d909806c0d',
  '2d7efbd796666785',
  'b7877127e09427cf',
  '8da699cd64557618',
  'cee3fe586e46c9cb',
  '37d1018bf50002ab',
  '6224939a79f5f593',
];
const key = sipKey(Buffer.from(Array.from({ length: 16 }, (_, i) => i)));

function code(message: Buffer, offset = 0): string {
  const target = Buffer.alloc(offset + 8);
  const placed = Buffer.concat([Buffer.alloc(offset, 0xaa), message, Buffer.alloc(9, 0xbb)]);
  sipHashInto(key, placed, offset, offset + message.length, target, offset);
  return target.toString('hex', offset);
}

t.test('the vectors of the reference implementation, wherever the message lies', async (t) => {
  for (const [length, expected] of vectors.entries()) {
    const message = Buffer.from(Array.from({ length }, (_, i) => i));
    for (const offset of [0, 1, 7]) t.equal(code(message, offset), expected, `${length} octets at ${offset}`);
  }
});

t.test('the example of the paper, appendix A', async (t) => {
  t.equal(code(Buffer.from(Array.from({ length: 15 }, (_, i) => i))), 'e545be4961ca29a1');
});

t.test('what OpenSSL says of a message as long as that of a Class', async (t) => {
  t.equal(code(Buffer.from(Array.from({ length: 36 }, (_, i) => i))), 'b4a31508beff4d31');
});

t.test('a key has 16 octets', async (t) => {
  t.throws(() => sipKey(Buffer.alloc(32)), /16 octets, not 32/);
});
