// A worker's handler over a small ISP in memory, for tests of the methods of authentication: one request, its reply.
import { randomBytes, randomUUID } from 'node:crypto';
import type { MethodMaker } from '#aaa-server/auth/eap/method.ts';
import { type CounterFamily, type CounterValue, createCounters, sumOf } from '#aaa-server/counters.ts';
import { createAnswerLogin } from '#aaa-server/radius/answer-login.ts';
import { createRadiusHandler } from '#aaa-server/radius/handler.ts';
import type { HandedOver } from '#aaa-server/radius/request.ts';
import { createRadiusServer } from '#aaa-server/radius/server.ts';
import { verifyResponse } from '#aaa-server/wire/authenticators.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code, decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import type { Crypt } from '#ops/runtime/crypt.ts';
import type { UdpSocket } from '#ops/runtime/udp.ts';
import { until } from '#test/support/wait.ts';
import { createIsp, type Isp, keyring } from './isp.ts';

export const secret = createSecret(Buffer.from('testing123'));

export type Reply = { readonly packet: Packet; readonly authenticator: Buffer };

export type LoginsOptions = {
  isp?: Isp;
  crypt?: Crypt | string;
  makers?: readonly MethodMaker[];
  worker?: number;
  workers?: number;
};

export function createLogins({
  isp = createIsp(),
  crypt = 'not in this test',
  makers = [],
  worker = 0,
  workers = 1,
}: LoginsOptions = {}) {
  const counters = createCounters();
  const clock = { nowMs: () => Date.now() + logins.wallAheadMs, monotonicMs: () => logins.monotonicMs };
  const warnings: string[] = [];
  const handedOver: { worker: number; datagram: HandedOver }[] = [];
  const handler = createRadiusHandler({
    snapshot: isp.snapshot,
    keyring,
    clock,
    counters,
    rejectDelayMs: 0,
    crypt,
    eap: { node: 'node', worker, workers, makers },
    handOver: (to, datagram) => void handedOver.push({ worker: to, datagram }),
    authorize: createAnswerLogin({
      snapshot: isp.snapshot,
      clock,
      classKey: keyring.derive('class'),
      feedSilence: { toleratedMs: 900_000, extraGraceMs: 0 },
      random: () => 0.5,
      uuid: () => randomUUID().replaceAll('-', ''),
    }),
    receiveAccounting: () => ({ ok: false, reason: 'not in this test', ack: false }),
    append: async () => undefined,
    later: () => undefined,
    warn: (message) => warnings.push(message),
  });
  const sent: Buffer[] = [];
  const keep = (data: Buffer, start: number, length: number) =>
    sent.push(Buffer.from(data.subarray(start, start + length)));
  const socket: UdpSocket = { address: '127.0.0.1', port: 1812, index: 0, send: (_peer, ...reply) => keep(...reply) };

  const logins = {
    isp,
    handler,
    warnings,
    handedOver,
    monotonicMs: 1000,
    wallAheadMs: 0,
    counted: <F extends CounterFamily>(family: F, value: CounterValue<F>) => sumOf([counters.array], family, value),
    receive(datagram: Buffer, port = 40_000): void {
      handler.handleBatch(
        'auth',
        {
          count: 1,
          data: [datagram],
          starts: [0],
          lengths: [datagram.length],
          peers: [{ address: '127.0.0.1', port }],
          reply: (_i, ...reply) => keep(...reply),
        },
        socket,
        0,
      );
    },
    /** Listens on a port of 127.0.0.1, for peers that are programs. */
    async serve(t: { teardown(handler: () => unknown): unknown }): Promise<number> {
      const server = createRadiusServer({
        addresses: ['127.0.0.1'],
        authPort: 0,
        acctPort: 0,
        udpDriver: 'dgram',
        receiveBufferBytes: 0,
        handler,
        counters,
        warn: (message) => warnings.push(message),
        onFatal: (error) => {
          throw error;
        },
      });
      await server.start();
      t.teardown(() => server.stop());
      return server.bound().authPort;
    },
    /** An Access-Request. */
    request(
      add: (builder: PacketBuilder, authenticator: Buffer) => void,
      authenticator: Buffer = randomBytes(16),
    ): Buffer {
      const builder = createPacketBuilder();
      builder.begin(code.accessRequest, 7);
      builder.messageAuthenticator();
      add(builder, authenticator);
      if (!builder.finishAccessRequest(authenticator, secret)) throw new Error('the request does not fit');
      return Buffer.from(builder.data.subarray(0, builder.length()));
    },
    /** The reply to an Access-Request, undefined when there is none. */
    async ask(
      add: (builder: PacketBuilder, authenticator: Buffer) => void,
      authenticator: Buffer = randomBytes(16),
    ): Promise<Reply | undefined> {
      logins.receive(logins.request(add, authenticator));
      await until(() => sent.length > 0 || handler.deciding() === 0, 'the decision', 20_000);
      const reply = sent.shift();
      if (!reply) return undefined;
      const packet = decodePacket(reply);
      if (!packet.ok) throw new Error(packet.reason);
      if (!verifyResponse(packet, authenticator, 0, secret)) throw new Error('wrong response authenticator');
      return { packet, authenticator };
    },
  };
  return logins;
}
