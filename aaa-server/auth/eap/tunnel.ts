// The rounds that EAP-TLS, TTLS and PEAP share: the handshake in fragments, then what each of them says inside the tunnel.
import type { TlsIdentity } from '#ops/runtime/eap-identity.ts';
import type { MppeKeys } from '../../wire/mschap.ts';
import type { Dropped } from '../proof.ts';
import {
  type EapMethod,
  type Failure,
  failure,
  type MethodContext,
  type MethodMaker,
  type MethodTurn,
  request,
  type Success,
} from './method.ts';
import { createTlsFrames, emptyFrame } from './tls-frames.ts';
import { createTlsBasis, createTlsSession, type TlsBasis, type TlsSession } from './tls-session.ts';

type Result = Success | Failure | Dropped;

export type TunnelTurn =
  /** `after`: the result, once the peer has acknowledged it. */
  { readonly kind: 'say'; readonly plain: Buffer; readonly after?: Result } | { readonly kind: 'listen' } | Result;

export type Inside = {
  /** The handshake is over and the peer waits for us. */
  opened(): TunnelTurn | Promise<TunnelTurn>;
  heard(plain: Buffer): TunnelTurn | Promise<TunnelTurn>;
  close(): void;
};

export type TunnelKind = {
  readonly type: number;
  readonly requestCertificate: boolean;
  readonly create: (context: MethodContext, session: TlsSession) => Inside;
};

const usualOctets = 1000;
const fewestOctets = 200;
/** Of an EAP packet around the octets of TLS. */
const headOctets = 10;

export function tunnelMethod(identity: TlsIdentity, kind: TunnelKind): MethodMaker {
  const basis = createTlsBasis(identity, kind.requestCertificate);
  return {
    type: kind.type,
    needs: null,
    create: (context) => createTunnel(basis, kind, context),
  };
}

function createTunnel(basis: TlsBasis, kind: TunnelKind, context: MethodContext): EapMethod {
  const mtu = context.mtu ?? usualOctets + headOctets;
  const frames = createTlsFrames(Math.max(fewestOctets, Math.min(usualOctets, mtu - headOctets)));
  const session = createTlsSession(basis);
  const inside = kind.create(context, session);
  let established = false;
  let opened = false;
  /** The result, told when the peer has what was sent before it. */
  let ending: Result | undefined;
  /** What was heard last and went unanswered. The access server sends it again, and TLS takes no record twice. */
  let unanswered: { readonly data: Buffer; readonly plain: Buffer; readonly output: Buffer } | undefined;

  function open(): TunnelTurn | Promise<TunnelTurn> {
    opened = true;
    return inside.opened();
  }

  async function follow(turn: TunnelTurn, output: Buffer): Promise<MethodTurn> {
    switch (turn.kind) {
      case 'say':
        ending = turn.after;
        return request(frames.send(Buffer.concat([output, await session.say(turn.plain)])));
      case 'listen':
        return request(frames.send(output));
      default:
        if (output.length === 0) return turn;
        ending = turn;
        return request(frames.send(output));
    }
  }

  /** @param data the EAP packet that brought it */
  async function hear(data: Buffer, plain: Buffer, output: Buffer): Promise<MethodTurn> {
    const turn = await inside.heard(plain);
    unanswered = turn.kind === 'drop' ? { data, plain, output } : undefined;
    return turn.kind === 'drop' ? turn : follow(turn, output);
  }

  async function receive(message: Buffer, data: Buffer): Promise<MethodTurn> {
    const { output, plain, error, ...turn } = await session.receive(message);
    established = turn.established;
    if (error) return follow(failure('eap_tls_failed'), output);
    if (!established) return request(frames.send(output));
    if (plain.length > 0) {
      opened = true;
      return hear(data, plain, output);
    }
    // Up to TLS 1.2 our Finished comes last, and the peer acknowledges it; in 1.3 the peer's does.
    if (!opened && (output.length === 0 || session.isVersion13())) return follow(await open(), output);
    return follow({ kind: 'listen' }, output);
  }

  async function acknowledged(): Promise<MethodTurn> {
    const next = frames.next();
    if (next) return request(next);
    if (ending) return ending;
    if (established && !opened) return follow(await open(), Buffer.alloc(0));
    return failure('eap_malformed');
  }

  return {
    begin: () => request(frames.start()),
    answer(data) {
      if (unanswered?.data.equals(data)) return hear(data, unanswered.plain, unanswered.output);
      const received = frames.receive(data);
      switch (received.kind) {
        case 'malformed':
          return failure('eap_malformed');
        case 'part':
          return request(emptyFrame);
        case 'acknowledged':
          return acknowledged();
        case 'message':
          // After our alert the peer may send its own.
          return ending ?? receive(received.octets, data);
        default:
          return received satisfies never;
      }
    },
    close() {
      inside.close();
      session.close();
    },
  };
}

/**
 * The keys of the encryption, from the first 64 octets that TLS exports (RFC 5216 §2.3, RFC 5281 §8, RFC 9427 §2.1). `label` is that of
 * TLS up to 1.2; in 1.3 the type of the method tells them apart.
 */
export function tunnelKeys(session: TlsSession, label: string, type: number): MppeKeys {
  const exported = session.isVersion13()
    ? session.exportKey(128, 'EXPORTER_EAP_TLS_Key_Material', Buffer.of(type))
    : session.exportKey(128, label);
  return { receive: exported.subarray(0, 32), send: exported.subarray(32, 64) };
}
