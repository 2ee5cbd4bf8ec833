// An access server that speaks RadSec: one TLS connection, requests out, answers in, in the order they come.
import { randomBytes } from 'node:crypto';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { createFrames } from '#aaa-server/radsec/frames.ts';
import { attribute } from '#aaa-server/wire/attributes.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret, type Secret } from '#aaa-server/wire/md5.ts';
import { code } from '#aaa-server/wire/packet.ts';
import { hidePassword } from '#aaa-server/wire/user-password.ts';
import { until } from '#test/support/wait.ts';

export const radsecSecret = createSecret(Buffer.from('radsec'));

export type RadsecClient = {
  readonly socket: TLSSocket;
  readonly received: Buffer[];
  send(...packets: readonly Buffer[]): void;
  /** Waits until so many packets have come in all, and gives the last. */
  packet(count: number): Promise<Buffer>;
  closed(): boolean;
  error(): string;
};

type Teardown = { teardown(handler: () => unknown): unknown };

/** Resolves when the handshake is over as the client sees it; TLS 1.3 servers may still refuse then. */
export async function radsecClient(t: Teardown, options: ConnectionOptions & { port: number }): Promise<RadsecClient> {
  const received: Buffer[] = [];
  let closed = false;
  let failure = '';
  const socket = connect({ host: '127.0.0.1', servername: 'localhost', ...options });
  t.teardown(() => socket.destroy());
  const frames = createFrames((data, start, length) => {
    received.push(Buffer.from(data.subarray(start, start + length)));
    return true;
  });
  socket.on('data', (chunk: Buffer) => frames.push(chunk));
  socket.on('error', (error) => (failure = error.message));
  socket.on('close', () => (closed = true));
  await new Promise<void>((resolve) => {
    socket.once('secureConnect', resolve);
    socket.once('close', () => resolve());
  });
  return {
    socket,
    received,
    send: (...packets) => socket.write(Buffer.concat(packets)),
    async packet(count) {
      await until(
        () => received.length >= count,
        () => `${count} packets have come, ${received.length} did`,
        10_000,
      );
      return received[count - 1] as Buffer;
    },
    closed: () => closed,
    error: () => failure,
  };
}

const builder = createPacketBuilder();
const built = () => Buffer.from(builder.data.subarray(0, builder.length()));

export type RequestChange = {
  identifier?: number;
  secret?: Secret;
  signed?: boolean;
  add?: (builder: PacketBuilder) => void;
};

export function pap(userName: string, password: string, change: RequestChange = {}): Buffer {
  const { identifier = 1, secret = radsecSecret, signed = false, add } = change;
  const authenticator = randomBytes(16);
  builder.begin(code.accessRequest, identifier);
  if (signed) builder.messageAuthenticator();
  builder.add(attribute.userName, userName);
  builder.add(attribute.userPassword, hidePassword(Buffer.from(password), secret, authenticator));
  add?.(builder);
  builder.finishAccessRequest(authenticator, secret);
  return built();
}

/** An EAP-Response of alice of that type; `state` is what the challenge carried. */
export function eapResponse(id: number, type: number, data: Buffer, state?: Buffer, identifier = 1): Buffer {
  const head = Buffer.of(2, id, 0, 5 + data.length, type);
  builder.begin(code.accessRequest, identifier);
  builder.messageAuthenticator();
  builder.add(attribute.userName, 'alice');
  builder.add(attribute.eapMessage, Buffer.concat([head, data]));
  if (state) builder.add(attribute.state, state);
  builder.finishAccessRequest(randomBytes(16), radsecSecret);
  return built();
}

export function accountingStart(sessionId: string, change: RequestChange = {}): Buffer {
  return accounting('alice', sessionId, 1, change);
}

export function accounting(userName: string, sessionId: string, status: number, change: RequestChange = {}): Buffer {
  const { identifier = 1, secret = radsecSecret, add } = change;
  builder.begin(code.accountingRequest, identifier);
  builder.add(attribute.acctStatusType, status);
  builder.add(attribute.acctSessionId, sessionId);
  builder.add(attribute.userName, userName);
  add?.(builder);
  builder.finishRequest(secret);
  return built();
}

export function statusServer(change: RequestChange = {}): Buffer {
  const { identifier = 1, secret = radsecSecret, signed = true } = change;
  builder.begin(code.statusServer, identifier);
  if (signed) builder.messageAuthenticator();
  builder.finishAccessRequest(randomBytes(16), secret);
  return built();
}

/** ACK or NAK of a CoA- or Disconnect-Request. */
export function coaAnswer(request: Buffer, type: number, secret = radsecSecret): Buffer {
  builder.begin(type, request[1] as number);
  builder.finishReply(request, 4, secret);
  return built();
}
