// The authenticator's side of EAP (RFC 3748 §2): identity, a method the peer agrees to, its rounds, the result. The same outside and in a tunnel.
import { randomInt } from 'node:crypto';
import { methodsServed } from '#policy/credentials/password-scheme.ts';
import type { CredentialRecord } from '../../subscribers/records.ts';
import { type EapPacket, eapCode, eapType, encodeEapRequest } from '../../wire/eap.ts';
import type { Credentials } from '../credentials.ts';
import type { Dropped } from '../proof.ts';
import { type EapMethod, type Failure, failure, type MethodMaker, type MethodTurn, type Success } from './method.ts';

export type EapTurn =
  /** A whole packet for the peer. */
  | { readonly kind: 'request'; readonly packet: Buffer }
  | Success
  | Failure
  /** Not what was asked: as if it had not come (RFC 3748 §4.1). */
  | { readonly kind: 'ignore' }
  | Dropped;

export type EapSession = {
  /** Asks for the identity. */
  start(): EapTurn;
  receive(packet: EapPacket): EapTurn | Promise<EapTurn>;
  /** Of the last Request. */
  identifier(): number;
  close(): void;
};

export type EapSessionOptions = {
  readonly tenantId: number;
  readonly credentials: Credentials;
  /** In the order in which they are offered. */
  readonly makers: readonly MethodMaker[];
  readonly mtu: number | undefined;
};

export function createEapSession({ tenantId, credentials, makers, mtu }: EapSessionOptions): EapSession {
  let identifier = randomInt(256);
  let asked = false;
  let identity: string | undefined;
  let credential: CredentialRecord | undefined;
  let maker: MethodMaker | undefined;
  let method: EapMethod | undefined;
  let answered = false;
  const refused = new Set<number>();

  function send(type: number, data: Buffer): EapTurn {
    asked = true;
    identifier = (identifier + 1) & 0xff;
    return { kind: 'request', packet: encodeEapRequest(identifier, type, data) };
  }

  function turnOf(turn: MethodTurn): EapTurn {
    return turn.kind === 'request' ? send(maker?.type ?? 0, turn.data) : turn;
  }

  function isUsable({ type, needs, serves }: MethodMaker): boolean {
    if (refused.has(type) || serves?.(tenantId) === false) return false;
    return needs === null || !credential || methodsServed(credential.scheme).includes(needs);
  }

  /** Offers the first method that the stored secret can serve and, where the peer named some, that is among them. */
  function offer(wanted?: Buffer): EapTurn {
    method?.close();
    const usable = makers.filter(isUsable);
    maker = usable.find(({ type }) => !wanted || wanted.includes(type));
    if (!maker) {
      method = undefined;
      const foreign = makers.some(
        ({ type, serves }) => serves?.(tenantId) === false && (wanted?.includes(type) ?? true),
      );
      if (foreign) return failure('eap_tls_not_of_tenant');
      return failure(usable.length === 0 && !wanted ? 'unsuitable_scheme' : 'eap_no_common_method');
    }
    method = maker.create({ tenantId, identity: identity ?? '', credential, credentials, mtu });
    answered = false;
    return turnOf(method.begin());
  }

  return {
    identifier: () => identifier,
    start: () => send(eapType.identity, Buffer.alloc(0)),
    close: () => method?.close(),
    receive({ code, identifier: given, type, data }) {
      // An access server may have asked for the identity itself, with an identifier of its own.
      if (code !== eapCode.response || (asked && given !== identifier)) return { kind: 'ignore' };
      if (identity === undefined) {
        if (type !== eapType.identity) return { kind: 'ignore' };
        identifier = given;
        identity = data.toString();
        credential = credentials.find(tenantId, identity);
        return offer();
      }
      if (!maker || !method) return { kind: 'ignore' };
      if (type === eapType.nak && !answered) {
        refused.add(maker.type);
        return offer(data);
      }
      if (type !== maker.type) return { kind: 'ignore' };
      answered = true;
      const turn = method.answer(data, given);
      return turn instanceof Promise ? turn.then(turnOf) : turnOf(turn);
    },
  };
}
