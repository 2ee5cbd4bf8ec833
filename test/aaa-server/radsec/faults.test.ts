// What goes wrong with RadSec: handshakes, certificates, limits, broken streams. Everything is counted, nothing harms the others.
import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code } from '#aaa-server/wire/packet.ts';
import { runs } from '#test/support/effort.ts';
import { missing } from '#test/support/peers.ts';
import { until } from '#test/support/wait.ts';
import { mulberry32, mutate } from '../support/mutate.ts';
import { type Identity, testAuthority } from './certificates.ts';
import { accountingStart, pap, radsecClient, statusServer } from './client.ts';
import { startServer } from './harness.ts';

const skip = missing('openssl');
type Teardown = { teardown(handler: () => unknown): unknown };

/** A connection without TLS. */
function raw(t: Teardown, port: number) {
  const socket: Socket = connect(port, '127.0.0.1');
  const state = { socket, closed: false };
  socket.on('close', () => (state.closed = true));
  socket.on('error', () => socket.destroy());
  t.teardown(() => socket.destroy());
  return state;
}

/** `openssl s_client`; everything it printed when it ended. */
function opensslClient(port: number, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', () => resolve(output));
  });
}

t.test('handshakes', { skip }, async (t) => {
  const authority = testAuthority(t);
  const tower = authority.nas('tower');
  const ca = authority.material().ca;
  const args = ({ certFile, keyFile }: Identity) => ['-CAfile', authority.caFile, '-cert', certFile, '-key', keyFile];

  await t.test(
    "openssl s_client: none, a foreign, an expired, a server's and a stranger's certificate are refused",
    async (t) => {
      const { port, counted, warnings } = await startServer(t, { material: authority.material() });
      const foreign = testAuthority(t, 'another authority').nas('tower');
      const cases = [
        ['no_certificate', ['-CAfile', authority.caFile]],
        ['certificate_untrusted', args(foreign)],
        ['certificate_expired', args(authority.nas('late', -1))],
        ['unknown_nas', args(authority.nas('stranger'))],
      ] as const;
      for (const [reason, more] of cases) {
        for (const version of ['-tls1_2', '-tls1_3']) {
          const before = counted('radsecRefused', reason);
          await opensslClient(port, [...more, version]);
          t.equal(counted('radsecRefused', reason), before + 1, `${reason} ${version}`);
        }
      }
      const before = counted('radsecRefused', 'certificate_untrusted');
      await opensslClient(port, args(authority.server));
      t.equal(
        counted('radsecRefused', 'certificate_untrusted'),
        before + 1,
        'a certificate of servers is none of clients',
      );
      t.equal(warnings.length, 1, 'the stranger is told, once');
      t.match(warnings[0]?.fields.identities, /^sha256:[0-9a-f]{64} dns:stranger cn:stranger$/);
    },
  );

  await t.test('TLS 1.1 and rubbish instead of a handshake', async (t) => {
    const { port, counts } = await startServer(t, { material: authority.material() });
    await opensslClient(port, [...args(tower), '-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0']);
    await counts('radsecRefused', 'handshake_failed', 1);
    const rubbish = raw(t, port);
    rubbish.socket.write('GET / HTTP/1.1\r\n\r\n');
    await until(() => rubbish.closed, 'it is closed');
    await counts('radsecRefused', 'handshake_failed', 2);
  });

  await t.test('an application protocol that is not ours', async (t) => {
    const { port, counts } = await startServer(t, { material: authority.material() });
    await opensslClient(port, [...args(tower), '-alpn', 'h2']);
    await counts('radsecRefused', 'handshake_failed', 1);
    const client = await radsecClient(t, { port, ca, ...tower, ALPNProtocols: ['radius/1.1', 'radius/1.0'] });
    t.equal(client.socket.alpnProtocol, 'radius/1.0', 'RADIUS/1.1 is off');
    client.send(statusServer());
    await client.packet(1);
  });

  await t.test('a session is not resumed: each connection shows its certificate', async (t) => {
    const { port } = await startServer(t, { material: authority.material() });
    const first = await radsecClient(t, { port, ca, ...tower, maxVersion: 'TLSv1.2' });
    first.send(statusServer());
    await first.packet(1);
    const session = first.socket.getSession();
    const second = await radsecClient(t, {
      port,
      ca,
      ...tower,
      maxVersion: 'TLSv1.2',
      ...(session ? { session } : {}),
    });
    second.send(statusServer());
    await second.packet(1);
    t.notOk(second.socket.isSessionReused());
  });

  await t.test('slow-loris: a handshake that does not end, a packet that does not end, and silence', async (t) => {
    const server = await startServer(t, { material: authority.material(), limits: { handshakeMs: 300 } });
    const loris = raw(t, server.port);
    loris.socket.write(Buffer.from([22]));
    await until(() => loris.closed, 'the handshake is given up', 10_000);
    await server.counts('radsecRefused', 'handshake_timeout');
    const halfway = await radsecClient(t, { port: server.port, ca, ...tower });
    halfway.send(pap('alice', 'wonderland').subarray(0, 25));
    const idle = await radsecClient(t, { port: server.port, ca, ...tower });
    idle.send(statusServer());
    await idle.packet(1);
    await until(() => server.counted('radsecEvents', 'opened') === 2, 'both are open');
    server.clock.aheadMs = 60_000;
    await until(halfway.closed, 'the packet is given up', 10_000);
    t.equal(server.counted('radsecClosed', 'packet_timeout'), 1);
    t.notOk(idle.closed(), 'idle is not slow');
    server.clock.aheadMs = 14 * 60_000;
    idle.send(statusServer({ identifier: 2 }));
    await idle.packet(2);
    server.clock.aheadMs = 28 * 60_000;
    idle.send(statusServer({ identifier: 3 }));
    await idle.packet(3);
    server.clock.aheadMs = 44 * 60_000;
    await until(idle.closed, 'the idle connection ends', 10_000);
    t.equal(server.counted('radsecClosed', 'idle'), 1);
  });

  await t.test(
    'too many connections: of one address, and in all; a place that becomes free is given again',
    async (t) => {
      for (const [reason, limits] of [
        ['too_many_of_address', { perAddress: 2 }],
        ['too_many_connections', { connections: 2 }],
      ] as const) {
        const server = await startServer(t, { material: authority.material(), limits });
        const first = await radsecClient(t, { port: server.port, ca, ...tower });
        const second = raw(t, server.port);
        first.send(statusServer());
        await first.packet(1);
        const refused = await radsecClient(t, { port: server.port, ca, ...tower });
        await until(refused.closed, 'the third is closed');
        t.equal(server.counted('radsecRefused', reason), 1);
        t.notOk(second.closed, 'one in its handshake has its place');
        first.send(statusServer({ identifier: 2 }));
        await first.packet(2);
        second.socket.destroy();
        await server.counts('radsecRefused', 'handshake_broken_off');
        const next = await until(
          async () => {
            const client = await radsecClient(t, { port: server.port, ca, ...tower });
            client.send(statusServer());
            return (await client.packet(1).catch(() => null)) && client;
          },
          'the place is free again',
          30_000,
        );
        t.notOk(next.closed());
      }
    },
  );

  await t.test(
    'a certificate that was taken back; a list that is replaced; one that does not cover the authority',
    async (t) => {
      const mast = authority.nas('mast');
      const { port, server, isp, counts, counted } = await startServer(t, {
        material: authority.material({ crl: true }),
      });
      isp.setNases([
        ...isp.snapshot.nasList(),
        { ...isp.snapshot.nasList()[0]!, id: 2, address: '192.0.2.2/32', radsecIdentity: 'dns:mast' },
      ]);
      const good = await radsecClient(t, { port, ca, ...tower });
      const bad = await radsecClient(t, { port, ca, ...mast });
      for (const client of [good, bad]) {
        client.send(statusServer());
        await client.packet(1);
      }
      authority.revoke('mast');
      server.order({ type: 'radsec_material', material: authority.material({ crl: true }), recheck: true });
      await until(() => good.closed() && bad.closed(), 'both must show their certificates again', 15_000);
      t.equal(counted('radsecClosed', 'recheck'), 2);
      const halfway = raw(t, port);
      await until(() => {
        server.order({ type: 'radsec_material', material: authority.material({ crl: true }), recheck: true });
        return halfway.closed;
      }, 'a handshake by the former rules is broken off');
      await radsecClient(t, { port, ca, ...mast });
      await counts('radsecRefused', 'certificate_revoked');
      const again = await radsecClient(t, { port, ca, ...tower });
      again.send(statusServer());
      await again.packet(1);
      const foreign = testAuthority(t, 'another authority').material({ crl: true }).crls;
      server.order({ type: 'radsec_material', material: { ...authority.material(), crls: foreign }, recheck: false });
      await radsecClient(t, { port, ca, ...tower });
      await counts('radsecRefused', 'crl_unusable');
      t.notOk(again.closed(), 'who was let in stays');
    },
  );

  await t.test('a new server certificate is shown to new connections, and old ones go on', async (t) => {
    const { port, server } = await startServer(t, { material: authority.material() });
    const before = await radsecClient(t, { port, ca, ...tower });
    before.send(statusServer());
    await before.packet(1);
    const other = testAuthority(t, 'successor');
    const { cert, key } = other.material();
    server.order({ type: 'radsec_material', material: { ...authority.material(), cert, key }, recheck: false });
    const after = await radsecClient(t, { port, ca: other.material().ca, ...tower });
    after.send(statusServer());
    await after.packet(1);
    before.send(statusServer({ identifier: 2 }));
    await before.packet(2);
  });
});

t.test('streams', { skip }, async (t) => {
  const authority = testAuthority(t);
  const tower = authority.nas('tower');
  const ca = authority.material().ca;
  const stranger = createSecret(Buffer.from('not the secret'));

  await t.test('what cannot be a packet, or was made with another secret, ends the connection', async (t) => {
    const server = await startServer(t, { material: authority.material() });
    const short = statusServer();
    short.writeUInt16BE(19, 2);
    const long = statusServer();
    long.writeUInt16BE(4097, 2);
    const torn = pap('alice', 'wonderland');
    torn[21] = 0;
    const cases = [
      ['bad_frame', short],
      ['bad_frame', long],
      ['attribute_length', torn],
      ['bad_request_authenticator', accountingStart('s', { secret: stranger })],
      ['bad_message_authenticator', pap('alice', 'wonderland', { secret: stranger, signed: true })],
    ] as const;
    for (const [reason, packet] of cases) {
      const before = server.counted('radsecClosed', reason);
      const client = await radsecClient(t, { port: server.port, ca, ...tower });
      client.send(packet, statusServer());
      await until(client.closed, `closed by ${reason}`);
      t.equal(server.counted('radsecClosed', reason), before + 1, reason);
      t.equal(client.received.length, 0, 'what follows is not looked at');
    }
  });

  await t.test('a code that has no business here is dropped, and the connection goes on', async (t) => {
    const server = await startServer(t, { material: authority.material() });
    const client = await radsecClient(t, { port: server.port, ca, ...tower });
    const strange = statusServer();
    strange[0] = code.coaRequest;
    client.send(strange, statusServer({ identifier: 2 }));
    t.equal((await client.packet(1))[1], 2);
    t.equal(server.counted('drops', 'unexpected_code'), 1);
  });

  await t.test('a peer that dies within a packet', async (t) => {
    const server = await startServer(t, { material: authority.material() });
    const wire = connect(server.port, '127.0.0.1');
    const client = await radsecClient(t, { port: server.port, ca, ...tower, socket: wire });
    client.send(statusServer());
    await client.packet(1);
    client.send(accountingStart('s').subarray(0, 30));
    const other = await radsecClient(t, { port: server.port, ca, ...tower });
    other.send(statusServer());
    await other.packet(1);
    wire.resetAndDestroy();
    await server.counts('radsecClosed', 'cut_off');
    other.send(statusServer({ identifier: 2 }));
    await other.packet(2);
    t.equal(server.records.length, 0);
  });

  await t.test('a peer that asks and does not read is cut off at a bound', async (t) => {
    const server = await startServer(t, { material: authority.material(), limits: { unreadBytes: 64 * 1024 } });
    const client = await radsecClient(t, { port: server.port, ca, ...tower });
    client.socket.pause();
    const add = (builder: Parameters<NonNullable<Parameters<typeof pap>[2]>['add'] & {}>[0]) => {
      for (let i = 0; i < 15; i++) builder.add(33, 'x'.repeat(250));
    };
    const requests = Array.from({ length: 64 }, (_, identifier) => pap('alice', 'wonderland', { identifier, add }));
    const ask = () => {
      if (client.closed()) return;
      client.socket.write(Buffer.concat(requests), () => setImmediate(ask));
    };
    ask();
    await server.counts('radsecClosed', 'not_reading');
    client.socket.destroy();
    const other = await radsecClient(t, { port: server.port, ca, ...tower });
    other.send(statusServer());
    await other.packet(1);
  });

  await t.test('any octets: the server goes on, and no packet is answered that was not asked', async (t) => {
    const server = await startServer(t, { material: authority.material() });
    const seed = Date.now() % 1_000_000;
    const random = mulberry32(seed);
    for (let i = 0; i < runs(60); i++) {
      const client = await radsecClient(t, { port: server.port, ca, ...tower });
      for (let j = 0; j < 5 && !client.closed(); j++) {
        client.socket.write(
          random() < 0.3
            ? Buffer.from(Array.from({ length: 1 + Math.floor(random() * 300) }, () => Math.floor(random() * 256)))
            : mutate(random() < 0.5 ? pap('alice', 'wonderland') : accountingStart('s'), random),
        );
      }
      client.socket.end();
      await until(client.closed, `seed ${seed}, connection ${i}: it ends`, 10_000);
    }
    const client = await radsecClient(t, { port: server.port, ca, ...tower });
    client.send(statusServer());
    await client.packet(1);
    t.equal(server.counted('drops', 'handler_error'), 0, `seed ${seed}`);
  });
});
