// An access server for tests on a real UDP socket that answers each CoA or Disconnect request as the test says.
import { createSocket, type Socket } from 'node:dgram';
import { attribute, firstVendorAttribute, textAt, textOf } from '#aaa-server/wire/attributes.ts';
import { authenticatorOffset, signResponse, verifyRequest } from '#aaa-server/wire/authenticators.ts';
import { createPacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { verifyMessageAuthenticator } from '#aaa-server/wire/message-authenticator.ts';
import { code, decodePacket } from '#aaa-server/wire/packet.ts';

export type Received = {
  data: Buffer;
  kind: 'coa' | 'disconnect';
  identifier: number;
  port: number;
  userName: string;
  sessionId: string;
  rate: string;
  types: number[];
};

/** null: silence. A number: NAK with that Error-Cause. 'tampered': an ACK whose authenticator is wrong. */
export type Answer = 'ack' | 'tampered' | 'other_port' | number | null;

export type ScriptedNas = {
  port: number;
  received: Received[];
  answer: (request: Received) => Answer | Promise<Answer>;
  /** Sends the ACK of an old request now. */
  ack(request: Received): void;
};

const secret = createSecret(Buffer.from('testing123'));

export async function scriptedNas(t: { teardown(handler: () => unknown): unknown }): Promise<ScriptedNas> {
  const socket = createSocket('udp4');
  const stranger = createSocket('udp4');
  await Promise.all([socket, stranger].map((each) => new Promise<void>((done) => each.bind(0, '127.0.0.1', done))));
  t.teardown(() => Promise.all([socket, stranger].map((each) => new Promise<void>((done) => each.close(done)))));

  const reply = (from: Socket, request: Received, cause: number | null, tampered = false) => {
    const isCoa = request.kind === 'coa';
    const builder = createPacketBuilder();
    const [ack, nak] = isCoa ? [code.coaAck, code.coaNak] : [code.disconnectAck, code.disconnectNak];
    builder.begin(cause === null ? ack : nak, request.identifier);
    builder.messageAuthenticator();
    if (cause !== null) builder.add(attribute.errorCause, cause);
    builder.finishReply(request.data, authenticatorOffset, secret);
    if (tampered) signResponse(builder.data, 0, builder.length(), Buffer.alloc(20), 4, secret);
    from.send(Buffer.from(builder.data.subarray(0, builder.length())), request.port, '127.0.0.1');
  };

  const nas: ScriptedNas = {
    port: socket.address().port,
    received: [],
    answer: () => 'ack',
    ack: (request) => reply(socket, request, null),
  };
  socket.on('message', async (data, from) => {
    const packet = decodePacket(data);
    if (!packet.ok) throw new Error(packet.reason);
    if (!verifyRequest(packet, secret)) throw new Error('request authenticator is wrong');
    if (!verifyMessageAuthenticator(packet, secret)) throw new Error('message authenticator is wrong');
    const rateAt = firstVendorAttribute(packet, 14988, 8);
    const types: number[] = [];
    for (let at = 20; at < packet.end; at += data[at + 1]!) types.push(data[at]!);
    const request: Received = {
      data: Buffer.from(data),
      kind: packet.code === code.coaRequest ? 'coa' : 'disconnect',
      identifier: packet.identifier,
      port: from.port,
      userName: textOf(packet, attribute.userName) ?? '',
      sessionId: textOf(packet, attribute.acctSessionId) ?? '',
      rate: rateAt < 0 ? '' : textAt(packet, rateAt),
      types,
    };
    nas.received.push(request);
    const answer = await nas.answer(request);
    if (answer === null) return;
    if (answer === 'other_port') reply(stranger, request, null);
    else reply(socket, request, typeof answer === 'number' ? answer : null, answer === 'tampered');
  });
  return nas;
}
