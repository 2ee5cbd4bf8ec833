// The attributes that give an access server the keys of the encryption (RFC 2548 §2.4).
import { randomInt } from 'node:crypto';
import type { NasAttribute } from '#policy/nas/profile.ts';
import { vendor } from '../wire/attributes.ts';
import { authenticatorOffset } from '../wire/authenticators.ts';
import type { Secret } from '../wire/md5.ts';
import type { MppeKeys } from '../wire/mschap.ts';
import type { Packet } from '../wire/packet.ts';
import { hideSalted } from '../wire/salted.ts';
import { hidePassword } from '../wire/user-password.ts';

export const microsoft = {
  chapResponse: 1,
  chapError: 2,
  encryptionPolicy: 7,
  encryptionTypes: 8,
  chapChallenge: 11,
  chapMppeKeys: 12,
  mppeSendKey: 16,
  mppeRecvKey: 17,
  chap2Response: 25,
  chap2Success: 26,
} as const;

export function ofMicrosoft(type: number, value: NasAttribute['value']): NasAttribute {
  return { vendor: vendor.microsoft, type, value };
}

/** MS-MPPE-Send-Key and MS-MPPE-Recv-Key, hidden for the request that they answer. */
export function keyAttributes({ send, receive }: MppeKeys, packet: Packet, secret: Secret): NasAttribute[] {
  const salt = randomInt(0x8000);
  const hide = (key: Buffer, with_: number) =>
    hideSalted(key, secret, packet.data, packet.start + authenticatorOffset, with_);
  return [
    ofMicrosoft(microsoft.mppeSendKey, hide(send, salt)),
    ofMicrosoft(microsoft.mppeRecvKey, hide(receive, salt ^ 1)),
  ];
}

/** MS-CHAP-MPPE-Keys of version 1: no LAN Manager key, then the hash of the NT hash (RFC 2548 §2.4.1). */
export function version1Keys(hashOfHash: Buffer, packet: Packet, secret: Secret): NasAttribute {
  const keys = Buffer.concat([Buffer.alloc(8), hashOfHash, Buffer.alloc(8)]);
  const hidden = hidePassword(keys, secret, packet.data, packet.start + authenticatorOffset);
  return ofMicrosoft(microsoft.chapMppeKeys, hidden);
}

/** Encryption is allowed, with keys of 40 or 128 bits. */
export const encryptionAllowed: readonly NasAttribute[] = [
  ofMicrosoft(microsoft.encryptionPolicy, 1),
  ofMicrosoft(microsoft.encryptionTypes, 6),
];
