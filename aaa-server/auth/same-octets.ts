// Compares passwords in a time that depends neither on their content nor on where they differ.
import { timingSafeEqual } from 'node:crypto';
import { maxPasswordLength } from '../wire/user-password.ts';

const left = Buffer.alloc(maxPasswordLength);
const right = Buffer.alloc(maxPasswordLength);

/** Whether both are the same octets. Nothing longer than a User-Password can hold is ever equal. */
export function sameOctets(a: Buffer, b: Buffer): boolean {
  left.fill(0);
  right.fill(0);
  a.copy(left);
  b.copy(right);
  const equal = timingSafeEqual(left, right);
  return equal && a.length === b.length && a.length <= maxPasswordLength;
}
