// The UDP server: replies from the socket that was asked, refusals said before anything runs, nothing lost on the way down.
import { spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import type { networkInterfaces } from 'node:os';
import t from 'tap';
import { bindProblems } from '#ops/runtime/udp/bind-addresses.ts';
import { kernelDrops } from '#ops/runtime/udp/kernel-drops.ts';
import { assertPortFree, openUdp, type UdpEvent, type UdpListener, type UdpOptions } from '#ops/runtime/udp.ts';
import { until } from '#test/support/wait.ts';

type Teardown = { teardown(handler: () => unknown): unknown };

function optionsOf(change: Partial<UdpOptions> = {}) {
  const events: UdpEvent[] = [];
  const warnings: string[] = [];
  const options: UdpOptions = {
    driver: 'auto',
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

t.test('a reply leaves from the address and port that were asked', async (t) => {
  const { listener } = await open(t, { addresses: ['127.0.0.1', '127.0.0.2'] });
  const { socket, received } = await client(t);
  socket.send('first', portOf(listener, 0), '127.0.0.1');
  socket.send('second', portOf(listener, 1), '127.0.0.2');
  await until(() => received.length === 2, 'both replies');
  t.strictSame(received.sort(), [`127.0.0.1:${portOf(listener, 0)} first`, `127.0.0.2:${portOf(listener, 1)} second`]);
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
  const onBatch: UdpOptions['onBatch'] = (batch) => lengths.push(batch.lengths[0]!);
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
  if (bindProblems(['::']).length > 0) return t.comment('no wildcard on this host');
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
  t.strictSame(bindProblems(['0.0.0.0'], host('192.0.2.1', 'fe80::1')), []);
  t.match(bindProblems(['0.0.0.0'], host('192.0.2.1', '192.0.2.2')), [/ambiguous: this host has 192.0.2.1, 192.0.2.2/]);
  t.strictSame(bindProblems(['::'], host('192.0.2.1', '2001:db8::1', 'fe80::1')), []);
  t.equal(bindProblems(['::'], host('192.0.2.1', '192.0.2.2')).length, 1);
  t.equal(bindProblems(['::'], host('2001:db8::1', '2001:db8::2')).length, 1);
  t.strictSame(bindProblems(['192.0.2.1', '192.0.2.2'], host('192.0.2.1', '192.0.2.2')), []);
  t.equal(bindProblems(['localhost']).length, 1);
  await t.rejects(openUdp(optionsOf({ addresses: ['nowhere'] }).options), /nowhere is not an IP address/);
});

t.test('a port that somebody has is an error, though SO_REUSEPORT would share it', async (t) => {
  const { listener } = await open(t);
  await t.rejects(assertPortFree(['127.0.0.1'], portOf(listener)), { code: 'EADDRINUSE' });
  await listener.stop();
  await assertPortFree(['127.0.0.1'], portOf(listener));
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

t.test('the driver of batched system calls is not in this build, and says so', async (t) => {
  await t.rejects(openUdp(optionsOf({ driver: 'mmsg' }).options), /mmsg is not available in this build/);
  t.equal((await open(t, { driver: 'dgram' })).listener.driver, 'dgram');
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

const noProc = process.platform === 'linux' ? false : 'only Linux tells what it drops';

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
