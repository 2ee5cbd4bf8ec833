// A RADIUS handler driven with buffers, and the requests to drive it with, for tests of what it demands and lets in.
import { randomBytes, randomUUID } from 'node:crypto';
import { createAccountingReceiver } from '#aaa-server/accounting/receive.ts';
import type { RefusedAnswer } from '#aaa-server/auth/refused-answer.ts';
import { type CounterFamily, type CounterValue, createCounters, sumOf } from '#aaa-server/counters.ts';
import type { Admission } from '#aaa-server/radius/admission.ts';
import { createAnswerLogin } from '#aaa-server/radius/answer-login.ts';
import type { DuplicatesOptions } from '#aaa-server/radius/duplicates.ts';
import { createRadiusHandler } from '#aaa-server/radius/handler.ts';
import type { RadiusDeps, RadiusPort } from '#aaa-server/radius/request.ts';
import { createTrust } from '#aaa-server/radius/trust.ts';
import { attribute } from '#aaa-server/wire/attributes.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code, decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import { hidePassword } from '#aaa-server/wire/user-password.ts';
import type { Peer, UdpBatch, UdpSocket } from '#ops/runtime/udp.ts';
import type { LearnedOfNas } from '#ops/stores/nas-edge.ts';
import { createIsp, keyring } from './isp.ts';

export const windowMs = 86_400_000;
export const secret = createSecret(Buffer.from('testing123'));
const device: Peer = { address: '127.0.0.1', port: 40_000 };

type Options = {
  duplicates?: DuplicatesOptions;
  admission?: Pick<Admission, 'admits'>;
  refusedAnswer?: RefusedAnswer;
  append?: RadiusDeps['append'];
};

/** Answers at once; alice logs in with wonderland. */
export function createDriven({ duplicates, admission, refusedAnswer, append }: Options = {}) {
  const isp = createIsp();
  isp.addSubscriber('alice', 'wonderland');
  const counters = createCounters();
  const learned: LearnedOfNas[] = [];
  const sent: Buffer[] = [];
  const classKey = keyring.derive('class');
  const clock = { nowMs: () => driven.wallMs, monotonicMs: () => driven.nowMs };
  const trust = createTrust({ windowMs, nowMs: () => driven.wallMs, onLearned: (one) => learned.push(one) });
  const handler = createRadiusHandler(
    {
      snapshot: isp.snapshot,
      keyring,
      clock,
      counters,
      rejectDelayMs: 0,
      trust,
      ...(admission ? { admission } : {}),
      ...(refusedAnswer ? { refusedAnswer } : {}),
      authorize: createAnswerLogin({
        snapshot: isp.snapshot,
        clock,
        classKey,
        feedSilence: { toleratedMs: 900_000, extraGraceMs: 0 },
        random: () => 0.5,
        uuid: () => randomUUID().replaceAll('-', ''),
      }),
      receiveAccounting: createAccountingReceiver({ snapshot: isp.snapshot, classKey }),
      append: append ?? (async () => undefined),
      crypt: 'not in this test',
      eap: { node: 'node', worker: 0, workers: 1, makers: [] },
      handOver: () => undefined,
      later: () => undefined,
      warn: () => undefined,
    },
    duplicates,
  );
  const keep = (data: Buffer, start: number, length: number) =>
    sent.push(Buffer.from(data.subarray(start, start + length)));
  const socket: UdpSocket = { address: '127.0.0.1', port: 1812, index: 0, send: (_peer, ...reply) => keep(...reply) };

  const driven = {
    isp,
    counters,
    handler,
    trust,
    /** What was told to be learned, in order. */
    learned,
    sent,
    nowMs: 1000,
    wallMs: windowMs * 1000,
    counted: <F extends CounterFamily>(family: F, value: CounterValue<F>) => sumOf([counters.array], family, value),
    receive(datagram: Buffer, port: RadiusPort = 'auth', peer: Peer = device): Buffer[] {
      const batch: UdpBatch = {
        count: 1,
        data: [datagram],
        starts: [0],
        lengths: [datagram.length],
        peers: [peer],
        reply: (_i, ...reply) => keep(...reply),
      };
      handler.handleBatch(port, batch, socket, port === 'auth' ? 0 : 1);
      return sent.splice(0);
    },
    /** The only reply's code, or why there is none. */
    answer(datagram: Buffer, peer: Peer = device): string {
      const [reply] = driven.receive(datagram, 'auth', peer);
      const packet = reply && decodePacket(reply);
      return packet?.ok ? (names.get(packet.code) ?? String(packet.code)) : 'none';
    },
  };
  return driven;
}

const names = new Map<number, string>(Object.entries(code).map(([name, value]) => [value, name]));

export type RequestOptions = {
  readonly messageAuthenticator?: boolean;
  readonly secret?: typeof secret;
  readonly extra?: (builder: PacketBuilder) => void;
};

export function accessRequest(
  add: (builder: PacketBuilder, authenticator: Buffer) => void,
  options: RequestOptions = {},
) {
  const builder = createPacketBuilder();
  const authenticator = randomBytes(16);
  builder.begin(code.accessRequest, 7);
  if (options.messageAuthenticator) builder.messageAuthenticator();
  add(builder, authenticator);
  options.extra?.(builder);
  if (!builder.finishAccessRequest(authenticator, options.secret ?? secret)) throw new Error('does not fit');
  return Buffer.from(builder.data.subarray(0, builder.length()));
}

export function pap(options: RequestOptions = {}, password = 'wonderland'): Buffer {
  return accessRequest((builder, authenticator) => {
    builder.add(attribute.userName, 'alice');
    builder.add(attribute.userPassword, hidePassword(Buffer.from(password), options.secret ?? secret, authenticator));
  }, options);
}

export function eap(options: RequestOptions = {}): Buffer {
  return accessRequest((builder) => {
    builder.add(attribute.userName, 'alice');
    builder.add(attribute.eapMessage, Buffer.from('0200000a01616c696365', 'hex'));
  }, options);
}

export const proxyState = (builder: PacketBuilder) => builder.add(attribute.proxyState, 'proxy');

export function decoded(data: Buffer | undefined): Packet {
  const packet = data && decodePacket(data);
  if (!packet?.ok) throw new Error(packet ? packet.reason : 'no reply');
  return packet;
}
