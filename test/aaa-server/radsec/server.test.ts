// RADIUS over TLS as an access server meets it (RFC 6614): requests of every kind on one connection, over real sockets.
import t from 'tap';
import { attribute, firstAttribute } from '#aaa-server/wire/attributes.ts';
import { verifyResponse } from '#aaa-server/wire/authenticators.ts';
import { verifyMessageAuthenticator } from '#aaa-server/wire/message-authenticator.ts';
import { code, decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import { missing } from '#test/support/peers.ts';
import { until } from '#test/support/wait.ts';
import { nasOf } from '../support/isp.ts';
import { testAuthority } from './certificates.ts';
import { accountingStart, coaAnswer, pap, radsecClient, radsecSecret, statusServer } from './client.ts';
import { startServer } from './harness.ts';

const skip = missing('openssl');

function packetOf(data: Buffer): Packet {
  const packet = decodePacket(data);
  if (!packet.ok) throw new Error(packet.reason);
  return packet;
}

t.test('a RadSec server', { skip }, async (t) => {
  const authority = testAuthority(t);
  const tower = authority.nas('tower');
  const ca = authority.material().ca;

  await t.test('login, accounting and the watchdog on one connection, each with its own identifier', async (t) => {
    const { port, records, counted, words } = await startServer(t, { material: authority.material() });
    const client = await radsecClient(t, { port, ca, ...tower });
    const request = pap('alice', 'wonderland', { identifier: 7 });
    client.send(request);
    const accept = packetOf(await client.packet(1));
    t.strictSame([accept.code, accept.identifier], [code.accessAccept, 7]);
    t.ok(verifyResponse(accept, request, 4, radsecSecret), 'signed with the secret "radsec"');
    t.ok(verifyMessageAuthenticator(accept, radsecSecret, request, 4));
    client.send(accountingStart('s1', { identifier: 8 }));
    t.equal((await client.packet(2))[0], code.accountingResponse);
    t.match(records[0], { sessionId: 's1', nasId: 1, tenantId: 1, sourceAddress: '127.0.0.1', subscriptionId: 1 });
    client.send(statusServer({ identifier: 9 }));
    t.strictSame([...(await client.packet(3)).subarray(0, 2)], [code.accessAccept, 9], 'RFC 6613 §2.6.5');
    client.send(statusServer({ identifier: 10, signed: false }));
    t.equal((await client.packet(4))[1], 10, 'TLS has proved who asks');
    t.equal(counted('radsecEvents', 'opened'), 1);
    t.strictSame(words, [{ type: 'radsec_connection', connection: 1, nasIds: [1] }]);
    client.socket.end();
    await until(() => words.length === 2, 'its end is told');
    t.strictSame(words[1], { type: 'radsec_connection', connection: 1, nasIds: [] });
    t.equal(counted('radsecClosed', 'peer'), 1);
  });

  await t.test('packets in one piece, in pieces, and octet by octet', async (t) => {
    const { port } = await startServer(t, { material: authority.material() });
    const client = await radsecClient(t, { port, ca, ...tower });
    const three = [1, 2, 3].map((identifier) => pap('alice', 'wonderland', { identifier }));
    client.send(...three);
    await client.packet(3);
    for (const octet of pap('alice', 'wonderland', { identifier: 4 })) client.socket.write(Buffer.from([octet]));
    await client.packet(4);
    const two = Buffer.concat([pap('alice', 'wonderland', { identifier: 5 }), statusServer({ identifier: 6 })]);
    client.socket.write(two.subarray(0, 30));
    client.socket.write(two.subarray(30));
    await client.packet(6);
    t.strictSame(
      client.received.map((data) => data[1]),
      [1, 2, 3, 4, 5, 6],
    );
  });

  await t.test(
    'a repeated request gets the same answer again; on another connection it is another request',
    async (t) => {
      const { port, counted } = await startServer(t, { material: authority.material() });
      const first = await radsecClient(t, { port, ca, ...tower });
      const second = await radsecClient(t, { port, ca, ...tower });
      const request = pap('alice', 'wonderland');
      first.send(request);
      await first.packet(1);
      first.send(request);
      t.ok((await first.packet(2)).equals(first.received[0]!));
      t.equal(counted('duplicates', 'resent'), 1);
      second.send(request);
      await second.packet(1);
      t.equal(counted('replies', 'access_accept'), 2);
      t.equal(first.received.length, 2, 'nothing of it came here');
    },
  );

  await t.test('an answer whose connection has ended goes nowhere', async (t) => {
    const server = await startServer(t, { material: authority.material() });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.state.disk = promise;
    const first = await radsecClient(t, { port: server.port, ca, ...tower });
    first.send(accountingStart('s1'));
    await until(() => server.records.length === 1, 'the record is on its way to the disk');
    first.socket.destroy();
    await until(() => server.words.length === 2, 'the end of the connection');
    const second = await radsecClient(t, { port: server.port, ca, ...tower });
    resolve();
    await server.counts('radsecEvents', 'answer_too_late');
    second.send(statusServer());
    await second.packet(1);
    t.equal(second.received.length, 1);
  });

  await t.test('a delayed reject comes on its connection', async (t) => {
    const { port } = await startServer(t, { material: authority.material(), rejectDelayMs: 50 });
    const client = await radsecClient(t, { port, ca, ...tower });
    client.send(pap('alice', 'wrong', { identifier: 3 }));
    t.strictSame([...(await client.packet(1)).subarray(0, 2)], [code.accessReject, 3]);
  });

  await t.test('Proxy-States come back, without a Message-Authenticator too', async (t) => {
    const { port } = await startServer(t, { material: authority.material() });
    const client = await radsecClient(t, { port, ca, ...tower });
    client.send(pap('alice', 'wonderland', { add: (builder) => builder.add(attribute.proxyState, 'abc') }));
    const accept = packetOf(await client.packet(1));
    t.equal(accept.code, code.accessAccept);
    t.ok(firstAttribute(accept, attribute.proxyState) > 0);
  });

  await t.test('who it is: fingerprint before DNS name before common name', async (t) => {
    const { port, isp, records } = await startServer(t, { material: authority.material() });
    const other = authority.nas('mast');
    const { X509Certificate } = await import('node:crypto');
    const fingerprint = new X509Certificate(other.cert).fingerprint256.toLowerCase().replaceAll(':', '');
    const nases = [
      nasOf({ id: 2, address: '192.0.2.2/32', radsecIdentity: 'cn:mast' }),
      nasOf({ id: 3, address: '192.0.2.3/32', radsecIdentity: 'dns:mast' }),
      nasOf({ id: 4, address: '192.0.2.4/32', radsecIdentity: `sha256:${fingerprint}` }),
    ];
    for (const [count, known] of [nases, nases.slice(0, 2), nases.slice(0, 1)].entries()) {
      isp.setNases(known);
      const client = await radsecClient(t, { port, ca, ...other });
      client.send(accountingStart(`s${count}`));
      await client.packet(1);
      t.equal(records[count]?.nasId, known.at(-1)?.id);
    }
  });

  await t.test('several behind one certificate are told apart by NAS-Identifier', async (t) => {
    const { port, isp, records, words } = await startServer(t, { material: authority.material() });
    isp.setNases([
      nasOf({ id: 1, address: '192.0.2.1/32', radsecIdentity: 'dns:tower', identifier: 'a' }),
      nasOf({ id: 2, address: '192.0.2.2/32', radsecIdentity: 'dns:tower' }),
    ]);
    const client = await radsecClient(t, { port, ca, ...tower });
    client.send(accountingStart('s1', { add: (builder) => builder.add(attribute.nasIdentifier, 'a') }));
    client.send(accountingStart('s2', { identifier: 2 }));
    await client.packet(2);
    t.strictSame(words[0], { type: 'radsec_connection', connection: 1, nasIds: [1, 2] });
    t.strictSame(
      records.map(({ nasId, nasInstance }) => [nasId, nasInstance]),
      [
        [1, '1/a'],
        [2, '2/127.0.0.1'],
      ],
    );
  });

  await t.test('a record that changes is live on open connections; one that goes ends them', async (t) => {
    const { port, isp, words, counts } = await startServer(t, { material: authority.material() });
    const client = await radsecClient(t, { port, ca, ...tower });
    client.send(statusServer());
    await client.packet(1);
    isp.setNases([nasOf({ id: 9, address: '192.0.2.9/32', radsecIdentity: 'dns:tower' })]);
    await until(() => words.length === 2, 'the new owner is told', 10_000);
    t.strictSame(words[1], { type: 'radsec_connection', connection: 1, nasIds: [9] });
    isp.setNases([]);
    await counts('radsecClosed', 'nas_gone');
    await until(client.closed, 'the connection ends');
  });

  await t.test('an answer to a request of ours is passed on as it came', async (t) => {
    const { port, server, words } = await startServer(t, { material: authority.material() });
    const client = await radsecClient(t, { port, ca, ...tower });
    client.send(statusServer());
    await client.packet(1);
    const request = statusServer({ identifier: 200 });
    request[0] = code.coaRequest;
    server.order({ type: 'radsec_send', connection: 1, data: request });
    t.ok((await client.packet(2)).equals(request));
    const ack = coaAnswer(request, code.coaAck);
    client.send(ack);
    await until(() => words.length === 2, 'the answer is told');
    t.match(words[1], { type: 'radsec_answer', connection: 1 });
    t.ok(words[1]?.type === 'radsec_answer' && ack.equals(words[1].data));
  });

  await t.test('no snapshot, no watchdog: the peer turns to another server', async (t) => {
    const { port, isp, counts } = await startServer(t, { material: authority.material() });
    isp.complete = false;
    const client = await radsecClient(t, { port, ca, ...tower });
    client.send(statusServer());
    await counts('drops', 'snapshot_incomplete');
    isp.complete = true;
    client.send(statusServer({ identifier: 2 }));
    t.equal((await client.packet(1))[1], 2);
  });

  await t.test('a stop answers what was taken before the connection ends', async (t) => {
    const server = await startServer(t, { material: authority.material() });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.state.disk = promise;
    const client = await radsecClient(t, { port: server.port, ca, ...tower });
    client.send(accountingStart('s1'));
    await until(() => server.records.length === 1, 'the record is on its way to the disk');
    server.server.stopReceiving();
    client.send(statusServer({ identifier: 2 }));
    t.notOk(client.closed(), 'it waits');
    resolve();
    await server.handler.drain();
    await until(client.closed, 'the end');
    await server.server.stop();
    t.strictSame(
      client.received.map((data) => data[0]),
      [code.accountingResponse],
    );
    t.equal(server.counted('radsecClosed', 'stopped'), 1);
  });
});
