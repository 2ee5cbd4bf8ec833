// Passwords of remembered logins by CHAP, whose challenge is new each time: hidden, one for each place of remembered-logins.ts.
import { randomBytes } from 'node:crypto';
import { valueLength } from '../wire/attributes.ts';
import { authenticatorOffset } from '../wire/authenticators.ts';
import {
  addMd5,
  beginHmacMd5,
  beginMd5,
  digestLength,
  finishHmacMd5,
  finishMd5,
  hmacStates,
  sameDigest,
} from '../wire/md5.ts';
import type { Packet } from '../wire/packet.ts';

export type KeptPasswords = {
  /** Offsets of the attributes in the packet, of the challenge −1 without one. Whether the response is that of the password kept at this place. */
  answer(slot: number, packet: Packet, nameAt: number, chapAt: number, challengeAt: number): boolean;
  keep(slot: number, packet: Packet, nameAt: number, password: Uint8Array): void;
};

/** In octets. */
export const longestKept = digestLength;

/** Each is hidden by an HMAC of its user's name, under a key that only this process knows. */
export function createKeptPasswords(capacity: number): KeptPasswords {
  const states = hmacStates(randomBytes(digestLength));
  const hidden = new Uint8Array(capacity * longestKept);
  const lengths = new Uint8Array(capacity);
  const pad = new Uint8Array(digestLength);
  const plain = new Uint8Array(longestKept);
  const digest = new Uint8Array(digestLength);

  function computePad({ data }: Packet, nameAt: number): void {
    beginHmacMd5(states);
    addMd5(data, nameAt + 2, nameAt + (data[nameAt + 1] as number));
    finishHmacMd5(states, pad, 0);
  }

  return {
    /** RFC 1994 §4.1; the challenge is as in auth/chap.ts. */
    answer(slot, packet, nameAt, chapAt, challengeAt) {
      const { data, start } = packet;
      const from = challengeAt < 0 ? start + authenticatorOffset : challengeAt + 2;
      const end = challengeAt < 0 ? from + digestLength : from + valueLength(packet, challengeAt);
      computePad(packet, nameAt);
      const at = slot * longestKept;
      for (let i = 0; i < longestKept; i++) plain[i] = (pad[i] as number) ^ (hidden[at + i] as number);
      beginMd5();
      addMd5(data, chapAt + 2, chapAt + 3);
      addMd5(plain, 0, lengths[slot] as number);
      addMd5(data, from, end);
      finishMd5(digest, 0);
      return sameDigest(digest, 0, data, chapAt + 3);
    },
    keep(slot, packet, nameAt, password) {
      computePad(packet, nameAt);
      const at = slot * longestKept;
      for (let i = 0; i < longestKept; i++) hidden[at + i] = (pad[i] as number) ^ (password[i] ?? 0);
      lengths[slot] = password.length;
    },
  };
}
