// EAP-TTLSv0 (RFC 5281): PAP, CHAP, MS-CHAP, MS-CHAP-2 or EAP inside a tunnel, with challenges that come of the tunnel itself.
import { timingSafeEqual } from 'node:crypto';
import type { CredentialRecord } from '../../subscribers/records.ts';
import { attribute, vendor } from '../../wire/attributes.ts';
import { type Avp, decodeAvps, encodeAvp } from '../../wire/avp.ts';
import { chapPasswordLength, verifyChap } from '../../wire/chap.ts';
import { decodeEap, eapType } from '../../wire/eap.ts';
import { authenticatorResponse, challengeResponse } from '../../wire/mschap.ts';
import { type Checked, type Unusable, unchecked } from '../credentials.ts';
import { microsoft } from '../mppe.ts';
import { matchingChallenge, responseLength } from '../mschap.ts';
import { gtcMethod } from './gtc.ts';
import { md5Method } from './md5.ts';
import { failure, type MethodContext, type MethodMaker } from './method.ts';
import { mschapv2Method } from './mschapv2.ts';
import { createEapSession, type EapSession, type EapTurn } from './session.ts';
import type { TlsSession } from './tls-session.ts';
import { type Inside, type TunnelKind, type TunnelTurn, tunnelKeys } from './tunnel.ts';

const innerMethods: readonly MethodMaker[] = [mschapv2Method, md5Method, gtcMethod];

export const ttlsTunnel: TunnelKind = {
  type: eapType.ttls,
  requestCertificate: false,
  create: (context, session) => createInside(context, session),
};

function createInside(context: MethodContext, session: TlsSession): Inside {
  const { tenantId, credentials, mtu } = context;
  let inner: EapSession | undefined;

  function success(credential: CredentialRecord): TunnelTurn & { kind: 'success' } {
    return { kind: 'success', credential, keys: tunnelKeys(session, 'ttls keying material', eapType.ttls) };
  }

  function resultOf(credential: CredentialRecord | undefined, right: boolean): TunnelTurn {
    if (right && credential) return success(credential);
    return failure(credential ? 'wrong_password' : 'unknown_user');
  }

  /** What the peer must have used as challenge, and behind it the identifier (RFC 5281 §11.1). */
  function isChallenge(challenge: Buffer | undefined, identifier: number | undefined, octets: number): boolean {
    const expected = session.exportKey(octets + 1, 'ttls challenge');
    return (
      challenge?.length === octets && challenge.equals(expected.subarray(0, octets)) && identifier === expected[octets]
    );
  }

  function pap(
    credential: CredentialRecord | undefined,
    padded: Buffer,
    userName: string,
  ): TunnelTurn | Promise<TunnelTurn> {
    // Filled up with NULs so that its length does not show (RFC 5281 §11.2.5).
    let length = padded.length;
    while (length > 0 && padded[length - 1] === 0) length--;
    const turnOf = (checked: Checked): TunnelTurn =>
      checked === 'right' || checked === 'wrong' ? resultOf(credential, checked === 'right') : unchecked(checked);
    const checked = credentials.check(tenantId, credential, padded.subarray(0, length), userName);
    return checked instanceof Promise ? checked.then(turnOf) : turnOf(checked);
  }

  function chap(credential: CredentialRecord | undefined, response: Buffer, challenge: Buffer | undefined): TunnelTurn {
    if (response.length !== chapPasswordLength || !challenge || !isChallenge(challenge, response[0], 16)) {
      return failure('eap_malformed');
    }
    const password = credentials.clearOf(credential);
    return typeof password === 'string'
      ? unusable(password)
      : resultOf(credential, verifyChap(response, password, challenge));
  }

  function msChap(
    credential: CredentialRecord | undefined,
    response: Buffer,
    challenge: Buffer | undefined,
    version: 1 | 2,
    userName: string,
  ): TunnelTurn {
    const octets = version === 2 ? 16 : 8;
    if (response.length !== responseLength || !challenge || !isChallenge(challenge, response[0], octets)) {
      return failure('eap_malformed');
    }
    const hash = credentials.ntHashOf(credential);
    if (typeof hash === 'string') return unusable(hash);
    const ntResponse = response.subarray(26, 50);
    if (version === 1) {
      return resultOf(credential, timingSafeEqual(challengeResponse(challenge, hash), ntResponse));
    }
    const answered = matchingChallenge(response.subarray(2, 18), challenge, ntResponse, hash, userName);
    if (!answered || !credential) return resultOf(credential, false);
    const text = authenticatorResponse(hash, ntResponse, answered);
    const data = Buffer.concat([response.subarray(0, 1), Buffer.from(text)]);
    return {
      kind: 'say',
      plain: encodeAvp({ vendor: vendor.microsoft, code: microsoft.chap2Success, data }),
      after: success(credential),
    };
  }

  function follow(turn: EapTurn): TunnelTurn {
    switch (turn.kind) {
      case 'request':
        return { kind: 'say', plain: encodeAvp({ vendor: 0, code: attribute.eapMessage, data: turn.packet }) };
      case 'success':
        return success(turn.credential);
      case 'ignore':
        return failure('eap_malformed');
      default:
        return turn;
    }
  }

  function eap(octets: Buffer): TunnelTurn | Promise<TunnelTurn> {
    const packet = decodeEap(octets);
    if (!packet) return failure('eap_malformed');
    inner ??= createEapSession({ tenantId, credentials, makers: innerMethods, mtu });
    const turn = inner.receive(packet);
    return turn instanceof Promise ? turn.then(follow) : follow(turn);
  }

  return {
    opened: () => ({ kind: 'listen' }),
    heard(plain) {
      const avps = decodeAvps(plain);
      if (!avps) return failure('eap_malformed');
      const of = (code: number, vendorId = 0) => dataOf(avps, vendorId, code);
      const inEap = of(attribute.eapMessage);
      if (inEap) return eap(inEap);
      const userName = of(attribute.userName)?.toString();
      if (!userName) return failure('no_user_name');
      const credential = credentials.find(tenantId, userName);
      const password = of(attribute.userPassword);
      if (password) return pap(credential, password, userName);
      const chapResponse = of(attribute.chapPassword);
      if (chapResponse) return chap(credential, chapResponse, of(attribute.chapChallenge));
      const challenge = of(microsoft.chapChallenge, vendor.microsoft);
      const second = of(microsoft.chap2Response, vendor.microsoft);
      if (second) return msChap(credential, second, challenge, 2, userName);
      const first = of(microsoft.chapResponse, vendor.microsoft);
      return first ? msChap(credential, first, challenge, 1, userName) : failure('no_password');
    },
    close: () => inner?.close(),
  };
}

function dataOf(avps: readonly Avp[], vendorId: number, code: number): Buffer | undefined {
  return avps.find((avp) => avp.vendor === vendorId && avp.code === code)?.data;
}

function unusable(why: Unusable): TunnelTurn {
  return why === 'unreadable' ? unchecked(why) : failure('unsuitable_scheme');
}
