// Addresses of the columns as the sixteen octets that the tables keep.
import t from 'tap';
import { writeAddress } from '#flow-collector/wire/addresses.ts';

t.test('IPv4 is mapped into IPv6, IPv6 stays, and none is ::', async (t) => {
  const four = Uint32Array.of(0, 0x0a000001, 0xc6336407);
  const six = Uint32Array.of(0, 0, 0, 0, 0x20010db8, 0, 0xffffffff, 2, 0, 0, 0, 0);
  const written = (family: number, row: number) => {
    const target = Buffer.alloc(20, 0xee);
    writeAddress(new DataView(target.buffer, target.byteOffset, target.length), 2, family, four, six, row);
    t.equal(target.subarray(0, 2).toString('hex') + target.subarray(18).toString('hex'), 'eeeeeeee');
    return target.subarray(2, 18).toString('hex');
  };
  t.equal(written(4, 1), '00000000000000000000ffff0a000001');
  t.equal(written(4, 2), '00000000000000000000ffffc6336407');
  t.equal(written(6, 1), '20010db800000000ffffffff00000002');
  t.equal(written(0, 1), '0'.repeat(32));
  t.equal(written(4, 0), '0'.repeat(32));
});
