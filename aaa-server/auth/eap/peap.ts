// PEAPv0 (draft-kamath-pppext-peapv0): EAP-MSCHAPv2 or EAP-GTC inside a tunnel, and a result that both sides confirm there.
import { eapCode, eapType } from '../../wire/eap.ts';
import { gtcMethod } from './gtc.ts';
import { type Failure, failure, type Success } from './method.ts';
import { mschapv2Method } from './mschapv2.ts';
import { createEapSession, type EapTurn } from './session.ts';
import { type Inside, type TunnelKind, type TunnelTurn, tunnelKeys } from './tunnel.ts';

/** An Extensions Request with a mandatory Result TLV; this alone is sent with the header of EAP. */
const resultLength = 11;
const resultTlv = Buffer.of(0x80, 3, 0, 2);
const status = { success: 1, failure: 2 } as const;
const headerLength = 4;

export const peapTunnel: TunnelKind = {
  type: eapType.peap,
  requestCertificate: false,
  create({ tenantId, credentials, mtu }, session): Inside {
    const inner = createEapSession({ tenantId, credentials, makers: [mschapv2Method, gtcMethod], mtu });
    let result: Success | Failure | undefined;

    function follow(turn: EapTurn): TunnelTurn {
      switch (turn.kind) {
        case 'request':
          return { kind: 'say', plain: turn.packet.subarray(headerLength) };
        case 'success':
          result = { ...turn, keys: tunnelKeys(session, 'client EAP encryption', eapType.peap) };
          return sayResult(status.success);
        case 'failure':
          result = turn;
          return sayResult(status.failure);
        case 'ignore':
          return failure('eap_malformed');
        default:
          return turn;
      }
    }

    function sayResult(value: number): TunnelTurn {
      const identifier = (inner.identifier() + 1) & 0xff;
      const head = Buffer.of(eapCode.request, identifier, 0, resultLength, eapType.tlv);
      return { kind: 'say', plain: Buffer.concat([head, resultTlv, Buffer.of(0, value)]) };
    }

    return {
      opened: () => follow(inner.start()),
      heard(plain) {
        if (result) return result.kind === 'success' && !confirms(plain) ? failure('eap_malformed') : result;
        const turn = inner.receive({
          code: eapCode.response,
          identifier: inner.identifier(),
          type: plain[0] ?? 0,
          data: plain.subarray(1),
        });
        return turn instanceof Promise ? turn.then(follow) : follow(turn);
      },
      close: () => inner.close(),
    };
  },
};

/** A Response with a Result TLV of success; other TLVs may be with it. */
function confirms(plain: Buffer): boolean {
  if (plain.length < resultLength || plain[0] !== eapCode.response || plain[4] !== eapType.tlv) return false;
  for (let at = 5; at + 4 <= plain.length; at += 4 + plain.readUInt16BE(at + 2)) {
    if ((plain.readUInt16BE(at) & 0x3fff) !== 3 || at + 6 > plain.length) continue;
    return plain.readUInt16BE(at + 4) === status.success;
  }
  return false;
}
