// RadSec in real worker threads: one port for all of them, and CoA that finds the thread which holds the connection.
import t from 'tap';
import { type CoaRequest, createCoaClient } from '#aaa-server/enforcement/coa/client.ts';
import { createEnforcementMetrics } from '#aaa-server/enforcement/metrics.ts';
import { systemTimer } from '#aaa-server/enforcement/timer.ts';
import { attribute, firstAttribute, octetsAt } from '#aaa-server/wire/attributes.ts';
import { chapResponse } from '#aaa-server/wire/chap.ts';
import { decodeEap, eapOf, eapType } from '#aaa-server/wire/eap.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code, decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { missing } from '#test/support/peers.ts';
import { until } from '#test/support/wait.ts';
import { nasOf } from '../support/isp.ts';
import { testAuthority } from './certificates.ts';
import { accountingStart, coaAnswer, eapResponse, pap, radsecClient, radsecSecret, statusServer } from './client.ts';
import { startRadsecWorkers } from './workers.ts';

const skip = missing('openssl');
const never = new AbortController().signal;
const coa: CoaRequest = {
  ...{ kind: 'coa', nas: '1', address: '203.0.113.9', port: 3799, ratePerS: 1000, secret: radsecSecret, overRadsec: 1 },
  attributes: [{ vendor: 0, type: attribute.userName, value: 'alice' }],
};

function packetOf(data: Buffer): Packet {
  const packet = decodePacket(data);
  if (!packet.ok) throw new Error(packet.reason);
  return packet;
}

t.test('RadSec workers', { skip }, async (t) => {
  const authority = testAuthority(t);
  const tower = authority.nas('tower');
  const mast = authority.nas('mast');
  const ca = authority.material().ca;
  const nases = [
    nasOf({ id: 1, address: '192.0.2.1/32', radsecIdentity: 'cn:tower', coaOverRadsec: true }),
    nasOf({ id: 2, address: '192.0.2.2/32', radsecIdentity: 'cn:mast', coaOverRadsec: true }),
  ];
  const running = await startRadsecWorkers(t, { authority, nases });
  const { port, links, workers, metric } = running;
  const metrics = createEnforcementMetrics(new Registry());
  const client = createCoaClient({ source: '', timer: systemTimer, random: () => 0.5, metrics, links });
  t.teardown(() => client.stop());
  const connect = () => radsecClient(t, { port, ca, ...tower });

  await t.test('without a connection the access server is unreachable, at once', async (t) => {
    t.strictSame(await client.send(coa, never), { kind: 'unsent', reason: 'nas_unreachable' });
  });

  await t.test('eight connections over both workers are answered, and counted as one', async (t) => {
    const connections = await Promise.all(Array.from({ length: 8 }, connect));
    for (const connection of connections)
      connection.send(pap('alice', 'wonderland'), accountingStart('s1', { identifier: 2 }));
    for (const connection of connections) await connection.packet(2);
    await until(() => links.connections().get(1) === 8, 'the main thread knows them');
    t.equal(await metric(/^lastmile_radsec_connections/), 8);
    t.equal(await metric(/^lastmile_radsec_events_total\{event="opened"/), 8);
    for (const connection of connections) connection.socket.end();
    await until(() => !links.connections().has(1), 'and their end');
  });

  await t.test('a conversation of EAP goes on wherever it comes, and is answered where it came', async (t) => {
    const first = await connect();
    let tries = 0;
    // Which worker gets a connection is chance.
    await until(
      async () => {
        const identifier = ++tries;
        first.send(eapResponse(1, eapType.identity, Buffer.from('alice'), undefined, identifier));
        const challenge = packetOf(await first.packet(tries));
        const request = decodeEap(eapOf(challenge));
        if (!request) throw new Error('no challenge');
        const value = chapResponse(request.identifier, Buffer.from('wonderland'), request.data.subarray(1, 17));
        const state = octetsAt(challenge, firstAttribute(challenge, attribute.state));
        const second = await connect();
        second.send(eapResponse(request.identifier, eapType.md5, Buffer.concat([Buffer.of(16), value]), state));
        t.equal((await second.packet(1))[0], code.accessAccept);
        second.socket.end();
        return (await metric(/^lastmile_radius_eap_total\{event="handed_over"/)) > 0;
      },
      'another worker has answered',
      20_000,
    );
    first.socket.end();
    await until(() => links.connections().size === 0, 'their end');
  });

  await t.test('CoA reaches the connection of its access server and of no other', async (t) => {
    const ours = await connect();
    const other = await radsecClient(t, { port, ca, ...mast });
    await until(() => links.connections().size === 2, 'both are connected');
    const answer = client.send(coa, never);
    const request = await ours.packet(1);
    t.equal(request[0], code.coaRequest);
    ours.send(coaAnswer(request, code.coaAck));
    t.strictSame(await answer, { kind: 'ack' });
    const second = client.send({ ...coa, kind: 'disconnect' }, never);
    ours.send(coaAnswer(await ours.packet(2), code.disconnectNak));
    t.strictSame(await second, { kind: 'nak', errorCause: null });
    t.equal(other.received.length, 0);
    ours.send(coaAnswer(request, code.coaAck));
    await until(() => running.strays.count === 1, 'an answer nobody waits for is counted');
    ours.socket.end();
    other.socket.end();
    await until(() => links.connections().size === 0, 'the end of both');
  });

  await t.test('one that ends before it answers is followed by another; by nobody, it is a timeout', async (t) => {
    const one = await connect();
    const two = await connect();
    await until(() => links.connections().get(1) === 2, 'two connections');
    const answer = client.send(coa, never);
    const asked = await until(() => [one, two].find(({ received }) => received.length === 1), 'one is asked');
    const other = asked === one ? two : one;
    asked.socket.destroy();
    other.send(coaAnswer(await other.packet(1), code.coaAck));
    t.strictSame(await answer, { kind: 'ack' });
    const lost = client.send(coa, never);
    await other.packet(2);
    other.socket.destroy();
    t.strictSame(await lost, { kind: 'timeout' });
    await until(() => links.connections().size === 0, 'the end of both');
  });

  await t.test('an answer made with another secret ends the connection', async (t) => {
    const liar = await connect();
    await until(() => links.connections().get(1) === 1, 'it is connected');
    const answer = client.send(coa, never);
    liar.send(coaAnswer(await liar.packet(1), code.coaAck, createSecret(Buffer.from('other'))));
    t.strictSame(await answer, { kind: 'timeout' });
    await until(liar.closed, 'it ends');
    t.equal(await metric(/^lastmile_radsec_closed_total\{reason="bad_coa_answer"/), 1);
  });

  await t.test('300 at a time: 256 have an identifier, the others are told that there is none', async (t) => {
    const ours = await connect();
    await until(() => links.connections().get(1) === 1, 'it is connected');
    const many = { ...coa, ratePerS: 10_000 };
    const answers = Promise.all(Array.from({ length: 300 }, (_, i) => client.send({ ...many, nas: `${i}` }, never)));
    await ours.packet(256);
    ours.send(...ours.received.map((request) => coaAnswer(request, code.coaAck)));
    const kinds = Object.groupBy(await answers, ({ kind }) => kind);
    t.strictSame([kinds.ack?.length, kinds.unsent?.length], [256, 44]);
    ours.socket.end();
    await until(() => links.connections().size === 0, 'its end');
  });

  await t.test('new certificates reach every worker', async () => {
    const successor = testAuthority(t, 'successor');
    const { cert, key } = successor.material();
    workers.orderRadsecOfAll({
      type: 'radsec_material',
      material: { ...authority.material(), cert, key },
      recheck: false,
    });
    const shown = async () => {
      const clients = await Promise.all(
        Array.from({ length: 8 }, () => radsecClient(t, { port, ca: successor.material().ca, ...tower })),
      );
      return clients.every((connection) => connection.error() === '');
    };
    await until(shown, 'all show the new one', 15_000);
    workers.orderRadsecOfAll({ type: 'radsec_material', material: authority.material(), recheck: true });
    await until(() => links.connections().size === 0, 'and all must come again', 15_000);
  });

  await t.test('a stop of the workers ends the connections with their answers out', async (_t) => {
    const ours = await connect();
    ours.send(statusServer());
    await ours.packet(1);
    ours.send(accountingStart('s9', { identifier: 3 }));
    await ours.packet(2);
    await workers.stop();
    await until(ours.closed, 'the connection ends');
  });

  await t.test('a port that is taken is an error at the start', async (t) => {
    const { port } = await startRadsecWorkers(t, { authority, nases, count: 2 });
    await t.rejects(startRadsecWorkers(t, { authority, nases, count: 2, port }), { message: /RADSEC_PORT.*in use/ });
  });
});
