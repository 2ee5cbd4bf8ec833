// Hides a key in an attribute with a salt, as MS-MPPE-Send-Key and MS-MPPE-Recv-Key do (RFC 2548 §2.4.2, RFC 2868 §3.5).
import { Buffer } from 'node:buffer';
import { digestLength, md5Into, type Secret } from './md5.ts';

const block = digestLength;

/**
 * Salt and hidden key. `authenticator` at `authenticatorAt` is that of the request. `salt` is below 2^15 and differs from every other in
 * the packet; its top bit is set here.
 */
export function hideSalted(
  key: Buffer,
  secret: Secret,
  authenticator: Buffer,
  authenticatorAt: number,
  salt: number,
): Buffer {
  const plain = Buffer.alloc(Math.ceil((1 + key.length) / block) * block);
  plain[0] = key.length;
  key.copy(plain, 1);
  const value = Buffer.alloc(2 + plain.length);
  value.writeUInt16BE(0x8000 | salt, 0);
  const first = Buffer.concat([
    secret.octets,
    authenticator.subarray(authenticatorAt, authenticatorAt + digestLength),
    value.subarray(0, 2),
  ]);
  const pad = Buffer.alloc(block);
  for (let at = 0; at < plain.length; at += block) {
    const input = at === 0 ? first : Buffer.concat([secret.octets, value.subarray(2 + at - block, 2 + at)]);
    md5Into(input, 0, input.length, pad, 0);
    for (let i = 0; i < block; i++) value[2 + at + i] = (plain[at + i] ?? 0) ^ (pad[i] ?? 0);
  }
  return value;
}
