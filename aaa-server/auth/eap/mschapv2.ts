// EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2): MS-CHAP-2 inside EAP, alone or in PEAP and TTLS.
import { randomBytes } from 'node:crypto';
import { eapType } from '../../wire/eap.ts';
import { authenticatorResponse, mppeKeys } from '../../wire/mschap.ts';
import { unchecked } from '../credentials.ts';
import { authenticationFailure, failureText, matchingChallenge } from '../mschap.ts';
import { failure, type MethodMaker, type MethodTurn, request, type Success } from './method.ts';

const opCode = { challenge: 1, response: 2, success: 3, failure: 4 } as const;
const responseLength = 49;
const serverName = Buffer.from('lastmile');

export const mschapv2Method: MethodMaker = {
  type: eapType.mschapv2,
  needs: 'eap_mschapv2',
  create({ credential, credentials, identity }) {
    const challenge = randomBytes(16);
    let identifier = 0;
    /** What is answered when the peer has acknowledged success or failure. */
    let result: Exclude<MethodTurn, { kind: 'request' }> | undefined;

    function packet(code: number, data: Buffer): MethodTurn {
      const head = Buffer.of(code, identifier, 0, 0);
      head.writeUInt16BE(head.length + data.length, 2);
      return request(Buffer.concat([head, data]));
    }

    function refuse(): MethodTurn {
      result = failure(credential ? 'wrong_password' : 'unknown_user');
      return packet(opCode.failure, Buffer.from(`${failureText(authenticationFailure, 2)} M=Authentication failed`));
    }

    function check(response: Buffer, name: string): MethodTurn {
      const hash = credentials.ntHashOf(credential);
      if (hash === 'unreadable') return unchecked(hash);
      if (hash === 'unsuitable') return failure('unsuitable_scheme');
      const ntResponse = response.subarray(24, 48);
      const peerChallenge = response.subarray(0, 16);
      // Hashed is the name in the packet; some peers put the whole identity there, some their name without its realm.
      const answered =
        matchingChallenge(peerChallenge, challenge, ntResponse, hash, name) ??
        matchingChallenge(peerChallenge, challenge, ntResponse, hash, identity);
      if (!answered || !credential) return refuse();
      result = { kind: 'success', credential, keys: mppeKeys(hash, ntResponse) } satisfies Success;
      return packet(opCode.success, Buffer.from(`${authenticatorResponse(hash, ntResponse, answered)} M=OK`));
    }

    return {
      begin: () => packet(opCode.challenge, Buffer.concat([Buffer.of(challenge.length), challenge, serverName])),
      answer(data) {
        const code = data[0];
        if (code === opCode.success || code === opCode.failure) {
          // A peer that does not believe our own proof answers a success with a failure.
          return result && (code === opCode.success || result.kind !== 'success') ? result : failure('eap_malformed');
        }
        if (code !== opCode.response || result || data.length < 5 + responseLength || data[4] !== responseLength) {
          return failure('eap_malformed');
        }
        identifier = data[1] ?? 0;
        return check(data.subarray(5, 5 + responseLength), data.subarray(5 + responseLength).toString());
      },
      close: () => undefined,
    };
  },
};
