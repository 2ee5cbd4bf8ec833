// RADIUS/1.1 (RFC 9765), experimental: our own client speaks it, for there is no other one to meet.
import t from 'tap';
import { attribute, firstAttribute, octetsAt } from '#aaa-server/wire/attributes.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import { code, decodePacket } from '#aaa-server/wire/packet.ts';
import { missing } from '#test/support/peers.ts';
import { until } from '#test/support/wait.ts';
import { testAuthority } from './certificates.ts';
import { radsecClient } from './client.ts';
import { startServer } from './harness.ts';

const skip = missing('openssl');
const builder = createPacketBuilder();

/** A packet of RADIUS/1.1: no identifier, a Token of four octets and twelve zeros. */
function packet(type: number, token: number, add: (builder: PacketBuilder) => void = () => {}): Buffer {
  builder.begin(type, 0);
  add(builder);
  const data = Buffer.from(builder.data.subarray(0, builder.length()));
  data.writeUInt16BE(data.length, 2);
  data.fill(0, 4, 20).writeUInt32BE(token, 4);
  return data;
}

t.test('RADIUS/1.1', { skip }, async (t) => {
  const authority = testAuthority(t);
  const tower = authority.nas('tower');
  const ca = authority.material().ca;
  const ALPNProtocols = ['radius/1.1'];

  await t.test(
    'a password in clear, more than 256 requests at a time by their Tokens, no Message-Authenticator',
    async (t) => {
      const server = await startServer(t, { material: authority.material(), version11: true });
      const client = await radsecClient(t, { port: server.port, ca, ...tower, ALPNProtocols });
      t.equal(client.socket.alpnProtocol, 'radius/1.1');
      const login = (token: number, password = 'wonderland') =>
        packet(code.accessRequest, token, (builder) => {
          builder.add(attribute.userName, 'alice');
          builder.add(attribute.userPassword, password);
          builder.add(attribute.proxyState, `state ${token}`);
        });
      client.send(...Array.from({ length: 600 }, (_, i) => login(0x0a000000 + i)));
      await client.packet(600);
      const tokens = new Set(client.received.map((data) => data.readUInt32BE(4)));
      t.equal(tokens.size, 600);
      const wrong = client.received.filter((data) => {
        const reply = decodePacket(data);
        if (!reply.ok || reply.code !== code.accessAccept || reply.identifier !== 0) return true;
        const state = octetsAt(reply, firstAttribute(reply, attribute.proxyState)).toString();
        return reply.messageAuthenticatorAt >= 0 || state !== `state ${data.readUInt32BE(4)}`;
      });
      t.strictSame(wrong, [], 'each answer has the Token of its request');
      client.send(login(7, 'wrong'));
      t.equal((await client.packet(601))[0], code.accessReject);
      t.equal(server.counted('radsecEvents', 'opened_radius_1_1'), 1);
    },
  );

  await t.test('accounting and the watchdog', async (t) => {
    const server = await startServer(t, { material: authority.material(), version11: true });
    const client = await radsecClient(t, { port: server.port, ca, ...tower, ALPNProtocols });
    client.send(
      packet(code.accountingRequest, 1, (builder) => {
        builder.add(attribute.acctStatusType, 1);
        builder.add(attribute.acctSessionId, 's1');
      }),
    );
    t.equal((await client.packet(1))[0], code.accountingResponse);
    t.equal(server.records[0]?.sessionId, 's1');
    client.send(packet(code.statusServer, 2));
    const status = await client.packet(2);
    t.strictSame([status[0], status.readUInt32BE(4), status.length], [code.accessAccept, 2, 20]);
  });

  await t.test('a CoA of ours goes out without MD5, and its answer comes back to who asked', async (t) => {
    const server = await startServer(t, { material: authority.material(), version11: true });
    const client = await radsecClient(t, { port: server.port, ca, ...tower, ALPNProtocols });
    client.send(packet(code.statusServer, 2));
    await client.packet(1);
    const { buildRequest, readReply } = await import('#aaa-server/enforcement/coa/packet.ts');
    const { radsecSecret } = await import('#aaa-server/radsec/identity.ts');
    const attributes = [{ vendor: 0, type: attribute.userName, value: 'alice' }];
    const request = buildRequest({ kind: 'disconnect', attributes, secret: radsecSecret }, 77, Date.now());
    if (!request) return t.fail('no request');
    server.server.order({ type: 'radsec_send', connection: 1, data: request });
    const sent = await client.packet(2);
    const read = decodePacket(sent);
    t.match(read, { ok: true, code: code.disconnectRequest, identifier: 0, messageAuthenticatorAt: -1 });
    t.ok(sent.subarray(8, 20).every((octet) => octet === 0));
    client.send(packet(code.disconnectNak, 4711), packet(code.disconnectAck, sent.readUInt32BE(4)));
    const answers = () =>
      server.words.flatMap((word) => (word.type === 'radsec_answer' ? [Buffer.from(word.data)] : []));
    await until(() => answers().length === 1, 'the answer is told');
    t.strictSame(readReply(answers()[0]!, request, radsecSecret), { ok: true, reply: { kind: 'ack' } });
    t.equal(server.counted('radsecEvents', 'stray_answer'), 1);
  });

  await t.test('only over TLS 1.3, and only where it is turned on', async (t) => {
    const server = await startServer(t, { material: authority.material(), version11: true });
    const old = await radsecClient(t, { port: server.port, ca, ...tower, ALPNProtocols, maxVersion: 'TLSv1.2' });
    await until(old.closed, 'it is refused');
    t.equal(server.counted('radsecRefused', 'tls_version'), 1);
    const off = await startServer(t, { material: authority.material() });
    const client = await radsecClient(t, { port: off.port, ca, ...tower, ALPNProtocols });
    await until(client.closed, 'no common protocol');
    t.equal(off.counted('radsecRefused', 'handshake_failed'), 1);
  });

  await t.test('a password that RADIUS/1.0 cannot carry ends the connection', async (t) => {
    const server = await startServer(t, { material: authority.material(), version11: true });
    const client = await radsecClient(t, { port: server.port, ca, ...tower, ALPNProtocols });
    client.send(packet(code.accessRequest, 1, (builder) => builder.add(attribute.userPassword, 'x'.repeat(200))));
    await until(client.closed, 'it ends');
    t.equal(server.counted('radsecClosed', 'not_translatable'), 1);
  });
});
