// The UDP server, by each driver: replies from the socket that was asked, refusals said before anything runs, nothing lost on the way down.
import { spawn, spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import type { networkInterfaces } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { addressProblems, wildcardProblems } from '#ops/runtime/udp/bind-addresses.ts';
import { kernelDrops } from '#ops/runtime/udp/kernel-drops.ts';
import { loadCalls } from '#ops/runtime/udp/mmsg/calls.ts';
import {
  assertPortFree,
  openUdp,
  type Peer,
  type UdpDriver,
  type UdpEvent,
  type UdpListener,
  type UdpOptions,
} from '#ops/runtime/udp.ts';
import { until } from '#test/support/wait.ts';

type Teardown = { teardown(handler: () => unknown): unknown };

/** Which one the tests below run with. */
let driver: UdpDriver = 'dgram';

function optionsOf(change: Partial<UdpOptions> = {}) {
  const events: UdpEvent[] = [];
  const warnings: string[] = [];
  const options: UdpOptions = {
    driver,
    addresses: ['127.0.0.1'],
    port: 0,
    reusePort: true,
    receiveBufferBytes: 0,
    onBatch(batch) {
      for (let i = 0; i < batch.count; i++) batch.reply(i, batch.data[i]!, batch.starts[i]!, batch.lengths[i]!);
    },
    count: (event) => events.push(event),
    warn: (message) => warnings.push(message),
    onFatal: (error) => {
      throw error;
    },
    ...change,
  };
  return { options, events, warnings };
}

async function open(t: Teardown, change: Partial<UdpOptions> = {}) {
  const { options, events, warnings } = optionsOf(change);
  const listener = await openUdp(options);
  t.teardown(() => listener.stop());
  return { listener, events, warnings };
}

async function client(t: Teardown, address = '127.0.0.1'): Promise<{ socket: Socket; received: string[] }> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const received: string[] = [];
  socket.on('message', (message, from) => received.push(`${from.address}:${from.port} ${message}`));
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  t.teardown(() => socket.close());
  return { socket, received };
}

const portOf = (listener: UdpListener, index = 0) => listener.sockets[index]!.port;

const loaded = await loadCalls();
const noMmsg = loaded.ok ? false : loaded.reason;
const noProc = process.platform === 'linux' ? false : 'only Linux tells what it drops';

for (const [each, skip] of [
  ['dgram', false],
  ['mmsg', noMmsg],
] as const) {
  t.test(`by ${each}`, { skip }, async (t) => {
    driver = each;

    t.test('a reply leaves from the address and port that were asked', async (t) => {
      const { listener } = await open(t, { addresses: ['127.0.0.1', '127.0.0.2'] });
      const { socket, received } = await client(t);
      socket.send('first', portOf(listener, 0), '127.0.0.1');
      socket.send('second', portOf(listener, 1), '127.0.0.2');
      await until(() => received.length === 2, 'both replies');
      t.strictSame(received.sort(), [
        `127.0.0.1:${portOf(listener, 0)} first`,
        `127.0.0.2:${portOf(listener, 1)} second`,
      ]);
    });

    t.test('an answer that comes later finds its way, and what it was made of may be used again at once', async (t) => {
      const memory = Buffer.from('later');
      const { listener } = await open(t, {
        onBatch(batch, socket) {
          const peer = batch.peers[0]!;
          setImmediate(() => {
            socket.send(peer, memory, 0, memory.length);
            memory.fill(0);
          });
        },
      });
      const { socket, received } = await client(t);
      socket.send('now', portOf(listener), '127.0.0.1');
      await until(() => received.length === 1, 'the reply');
      t.match(received[0], / later$/);
    });

    t.test('several sockets share a port, and an empty datagram and the largest arrive as they are', async (t) => {
      const lengths: number[] = [];
      const onBatch: UdpOptions['onBatch'] = (batch) => {
        for (let i = 0; i < batch.count; i++) lengths.push(batch.lengths[i]!);
      };
      const { listener } = await open(t, { onBatch });
      await open(t, { onBatch, port: portOf(listener) });
      const { socket } = await client(t);
      for (const length of [0, 1, 65_507]) socket.send(Buffer.alloc(length), portOf(listener), '127.0.0.1');
      await until(() => lengths.length === 3, 'all three');
      t.strictSame(
        lengths.sort((a, b) => a - b),
        [0, 1, 65_507],
      );
    });

    t.test('IPv6, and IPv4 peers of a dual-stack socket in their own form', async (t) => {
      const peers: string[] = [];
      const { listener } = await open(t, {
        addresses: ['::1'],
        onBatch(batch) {
          peers.push(batch.peers[0]!.address);
          batch.reply(0, batch.data[0]!, 0, batch.lengths[0]!);
        },
      });
      const six = await client(t, '::1');
      six.socket.send('six', portOf(listener), '::1');
      await until(() => six.received.length === 1, 'the reply');
      t.strictSame(peers, ['::1']);
      if (driver === 'dgram' && wildcardProblems(['::']).length > 0) return t.comment('no wildcard on this host');
      const both = await open(t, {
        addresses: ['::'],
        onBatch(batch) {
          peers.push(batch.peers[0]!.address);
          batch.reply(0, batch.data[0]!, 0, batch.lengths[0]!);
        },
      });
      const four = await client(t);
      four.socket.send('four', portOf(both.listener), '127.0.0.1');
      await until(() => four.received.length === 1, 'the reply over IPv4');
      t.equal(peers.at(-1), '127.0.0.1');
    });

    t.test('when one address cannot be bound none stays bound', async (t) => {
      const { listener } = await open(t);
      const port = portOf(listener);
      await listener.stop();
      await t.rejects(openUdp(optionsOf({ addresses: ['127.0.0.1', '192.0.2.77'], port }).options), {
        code: 'EADDRNOTAVAIL',
      });
      await assertPortFree(['127.0.0.1'], port);
    });

    t.test('a receive buffer smaller than asked is told once, with the remedy', async (t) => {
      t.strictSame((await open(t, { receiveBufferBytes: 65_536 })).warnings, []);
      const { warnings } = await open(t, { addresses: ['127.0.0.1', '127.0.0.2'], receiveBufferBytes: 2 ** 30 });
      t.equal(warnings.length, 1);
      t.match(warnings[0], /run `sysctl -w net.core.rmem_max=1073741824`/);
    });

    t.test('what cannot be sent is counted and harms nobody', async (t) => {
      const { listener, events } = await open(t);
      const { socket, received } = await client(t);
      const udp = listener.sockets[0]!;
      udp.send({ address: '127.0.0.1', port: 0 }, Buffer.from('x'), 0, 1);
      udp.send({ address: 'not an address', port: 9 }, Buffer.from('x'), 0, 1);
      udp.send({ address: '127.0.0.1', port: 9 }, Buffer.alloc(70_000), 0, 70_000);
      await until(() => events.length === 3, 'three counted');
      t.strictSame(events, ['send_error', 'send_error', 'send_error']);
      socket.send('still here', portOf(listener), '127.0.0.1');
      await until(() => received.length === 1, 'the reply');
    });

    t.test('stopping: no more is taken, what is queued leaves, and a second stop is the first', async (t) => {
      let taken = 0;
      const { listener } = await open(t, { onBatch: () => taken++ });
      const { socket, received } = await client(t);
      listener.stopReceiving();
      socket.send('late', portOf(listener), '127.0.0.1');
      listener.sockets[0]!.send({ address: '127.0.0.1', port: socket.address().port }, Buffer.from('last'), 0, 4);
      await Promise.all([listener.stop(), listener.stop()]);
      await listener.stop();
      await until(() => received.length === 1, 'the last reply');
      t.equal(taken, 0);
      listener.sockets[0]!.send({ address: '127.0.0.1', port: 9 }, Buffer.from('x'), 0, 1);
    });

    t.test(
      'what the kernel drops at a full socket is counted for its port, of this process alone',
      { skip: noProc },
      async (t) => {
        const { listener } = await open(t, { receiveBufferBytes: 2048 });
        const other = await open(t, { receiveBufferBytes: 2048 });
        const port = portOf(listener);
        const flood = `
    const socket = require('node:dgram').createSocket('udp4');
    let left = 300;
    for (let i = 0; i < 300; i++) socket.send(Buffer.alloc(1000), ${port}, '127.0.0.1', () => --left || socket.close());`;
        // While the flood lasts nothing is read here.
        t.equal(spawnSync(process.execPath, ['-e', flood]).status, 0);
        const drops = await kernelDrops();
        t.ok((drops.get(port) ?? 0) > 200, `${drops.get(port)} of 300 dropped`);
        t.equal(drops.get(portOf(other.listener)), 0);
        t.equal(drops.size, 2, 'no sockets of others');
      },
    );
  });
}

t.test('a wildcard on a host with several addresses is refused, as is what is no address', async (t) => {
  const entry = (address: string, internal = false) => ({
    address,
    internal,
    family: address.includes(':') ? 'IPv6' : 'IPv4',
  });
  const host = (...addresses: string[]) =>
    ({
      lo: [entry('127.0.0.1', true), entry('::1', true)],
      eth0: addresses.map((address) => entry(address)),
    }) as unknown as ReturnType<typeof networkInterfaces>;
  t.strictSame(wildcardProblems(['0.0.0.0'], host('192.0.2.1', 'fe80::1')), []);
  t.match(wildcardProblems(['0.0.0.0'], host('192.0.2.1', '192.0.2.2')), [
    /ambiguous: this host has 192.0.2.1, 192.0.2.2/,
  ]);
  t.strictSame(wildcardProblems(['::'], host('192.0.2.1', '2001:db8::1', 'fe80::1')), []);
  t.equal(wildcardProblems(['::'], host('192.0.2.1', '192.0.2.2')).length, 1);
  t.equal(wildcardProblems(['::'], host('2001:db8::1', '2001:db8::2')).length, 1);
  t.strictSame(wildcardProblems(['192.0.2.1', '192.0.2.2'], host('192.0.2.1', '192.0.2.2')), []);
  t.equal(addressProblems(['localhost']).length, 1);
  await t.rejects(openUdp(optionsOf({ addresses: ['nowhere'] }).options), /nowhere is not an IP address/);
});

t.test('a port that somebody has is an error, though SO_REUSEPORT would share it', async (t) => {
  const { listener } = await open(t);
  await t.rejects(assertPortFree(['127.0.0.1'], portOf(listener)), { code: 'EADDRINUSE' });
  await listener.stop();
  await assertPortFree(['127.0.0.1'], portOf(listener));
});

t.test('auto takes batched system calls where there are some, else it says so in one line', async (t) => {
  driver = 'auto';
  const { listener, warnings } = await open(t);
  t.equal(listener.driver, loaded.ok ? 'mmsg' : 'dgram');
  t.equal(warnings.length, loaded.ok ? 0 : 1);
});

t.test('a wildcard answers from the address that was asked, at once and later', { skip: noMmsg }, async (t) => {
  driver = 'mmsg';
  for (const [wildcard, own] of [
    ['0.0.0.0', ['127.0.0.1', '127.0.0.2', '127.9.8.7']],
    ['::', ['127.0.0.1', '127.0.0.2', '::1']],
  ] as const) {
    const { listener } = await open(t, {
      addresses: [wildcard],
      onBatch(batch, socket) {
        for (let i = 0; i < batch.count; i++) {
          const peer = batch.peers[i]!;
          batch.reply(i, Buffer.from('now'), 0, 3);
          setImmediate(() => socket.send(peer, Buffer.from('later'), 0, 5));
        }
      },
    });
    for (const address of own) {
      const { socket, received } = await client(t, address.includes(':') ? '::1' : '127.0.0.1');
      socket.send('?', portOf(listener), address);
      await until(() => received.length === 2, 'both replies');
      t.strictSame(received, [`${address}:${portOf(listener)} now`, `${address}:${portOf(listener)} later`]);
    }
  }
});

t.test('a known sender is the same object each time, and many at once are told apart', { skip: noMmsg }, async (t) => {
  driver = 'mmsg';
  const peers = new Map<string, Set<Peer>>();
  let batches = 0;
  let taken = 0;
  const { listener } = await open(t, {
    onBatch(batch) {
      batches++;
      for (let i = 0; i < batch.count; i++, taken++) {
        const peer = batch.peers[i]!;
        const name = `${peer.address}:${peer.port}`;
        peers.set(name, (peers.get(name) ?? new Set()).add(peer));
        batch.reply(i, batch.data[i]!, batch.starts[i]!, batch.lengths[i]!);
      }
    },
  });
  const clients = await Promise.all(Array.from({ length: 20 }, () => client(t)));
  for (let round = 0; round < 10; round++) {
    for (const { socket } of clients) socket.send(`${socket.address().port} ${round}`, portOf(listener), '127.0.0.1');
  }
  await until(() => clients.every(({ received }) => received.length === 10), 'every reply');
  for (const { socket, received } of clients) {
    const from = `127.0.0.1:${portOf(listener)} ${socket.address().port}`;
    t.strictSame(
      received,
      Array.from({ length: 10 }, (_, round) => `${from} ${round}`),
      'its own and in order',
    );
  }
  t.equal(peers.size, 20);
  const remembered = [...peers.values()].filter((objects) => objects.size === 1).length;
  t.ok(remembered >= 16, `${remembered} of 20: those that fall on one place displace each other`);
  t.ok(batches < taken, `${taken} datagrams in ${batches} batches`);
});

for (const way of ['exit', 'throw', 'terminate', 'exit in a worker', 'throw in a worker'] as const) {
  t.test(`idle sockets hold nobody up: ${way}`, { skip: noMmsg }, async (t) => {
    const child = spawn(process.execPath, [path.join(import.meta.dirname, 'fixtures/idle-sockets.ts'), way], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
    const ended = new Promise<number | null>((resolve) =>
      child.once('exit', (code, signal) => resolve(signal ? -1 : code)),
    );
    await until(
      () => /^ending (\d+)$/m.test(printed),
      () => `the sockets are idle; printed: ${printed}`,
    );
    const startedMs = Number(/^ending (\d+)$/m.exec(printed)?.[1]);
    t.equal(await ended, way.startsWith('throw') ? 1 : 0, printed);
    const tookMs = Date.now() - startedMs;
    t.ok(tookMs < 1000, `it ended within ${tookMs} ms`);
    if (way.startsWith('throw')) t.match(printed, /thrown beside idle sockets/);
  });
}
