// EAP-MD5-Challenge (RFC 3748 §5.4): CHAP inside EAP. It proves the subscriber only, and makes no keys.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { chapResponse } from '../../wire/chap.ts';
import { eapType } from '../../wire/eap.ts';
import { unchecked } from '../credentials.ts';
import { failure, type MethodMaker, request } from './method.ts';

const valueLength = 16;

export const md5Method: MethodMaker = {
  type: eapType.md5,
  needs: 'eap_md5',
  create({ credential, credentials }) {
    const challenge = randomBytes(valueLength);
    return {
      begin: () => request(Buffer.concat([Buffer.of(valueLength), challenge])),
      answer(data, identifier) {
        if (data.length <= valueLength || data[0] !== valueLength) return failure('eap_malformed');
        const password = credentials.clearOf(credential);
        if (password === 'unreadable') return unchecked(password);
        if (password === 'unsuitable') return failure('unsuitable_scheme');
        const expected = chapResponse(identifier, password, challenge);
        const right = timingSafeEqual(expected, data.subarray(1, 1 + valueLength));
        if (right && credential) return { kind: 'success', credential, keys: null };
        return failure(credential ? 'wrong_password' : 'unknown_user');
      },
      close: () => undefined,
    };
  },
};
