// The driver of batched system calls against a kernel of our own: what a real one does too seldom to wait for.
import t from 'tap';
import type { Calls, Wish } from '#ops/runtime/udp/mmsg/calls.ts';
import { createSendQueue } from '#ops/runtime/udp/mmsg/send-queue.ts';
import { addressText, toName } from '#ops/runtime/udp/mmsg/socket-address.ts';
import { openMmsg } from '#ops/runtime/udp/mmsg.ts';
import type { Peer, UdpEvent, UdpOptions } from '#ops/runtime/udp.ts';
import { until } from '#test/support/wait.ts';

const [EINTR, EBADF, EAGAIN, EPERM] = [-4, -9, -11, -1];

type Datagram = { name: Buffer; octets: Buffer; flags?: number };

/** Memory has the addresses it is asked for, so that what the headers point to can be found again. */
function createKernel() {
  const regions: { base: bigint; memory: Buffer }[] = [];
  let nextBase = 0x1000n;
  const at = (pointer: bigint) => {
    const region = regions.find(({ base, memory }) => pointer >= base && pointer < base + BigInt(memory.length));
    if (!region) throw new Error(`nothing lies at ${pointer}`);
    return region.memory.subarray(Number(pointer - region.base));
  };
  const kernel = {
    /** What receive calls bring, one after the other: datagrams or an error. */
    incoming: [] as (readonly Datagram[] | number)[],
    /** What send calls answer: how many they take, or an error; all when there is nothing left. */
    answers: [] as number[],
    sent: [] as { port: number; text: string; control: number }[],
    wishes: [] as Wish[],
    pauses: [] as number[],
    closed: 0,
    ready: () => {},
  };
  const calls: Calls = {
    socket: () => 7,
    setOption: () => 0,
    getOption: () => 425_984,
    bind: () => 0,
    listen: () => 0,
    boundName: () => 0,
    close: () => {
      kernel.closed++;
      return 0;
    },
    receiveMany(_fd, headers) {
      const next = kernel.incoming.shift() ?? EAGAIN;
      if (typeof next === 'number') return next;
      for (const [i, { name, octets, flags = 0 }] of next.entries()) {
        const header = headers.subarray(i * 64);
        t.equal(header.readInt32LE(48), 0, 'flags are reset before each call');
        t.equal(header.readUInt32LE(8), name.length, 'and the room for the name');
        name.copy(at(header.readBigUInt64LE(0)));
        header.writeUInt32LE(name.length - 1, 8);
        octets.copy(at(at(header.readBigUInt64LE(16)).readBigUInt64LE(0)));
        header.writeInt32LE(flags, 48);
        header.writeUInt32LE(octets.length, 56);
      }
      return next.length;
    },
    sendMany(_fd, headers, count) {
      const answer = kernel.answers.shift() ?? count;
      for (let i = 0; i < answer; i++) {
        const header = headers.subarray(i * 64);
        const vector = at(header.readBigUInt64LE(16));
        const octets = at(vector.readBigUInt64LE(0)).subarray(0, vector.readUInt32LE(8));
        const port = at(header.readBigUInt64LE(0)).readUInt16BE(2);
        kernel.sent.push({ port, text: octets.toString(), control: header.readUInt32LE(40) });
      }
      return answer;
    },
    schedule: () => 0,
    pause: (microseconds) => void kernel.pauses.push(microseconds),
    addressOf(memory) {
      const known = regions.find((region) => region.memory === memory);
      if (known) return known.base;
      const base = nextBase;
      nextBase += BigInt(memory.length + 64);
      regions.push({ base, memory });
      return base;
    },
    watch(_fd, wish, ready) {
      kernel.wishes.push(wish);
      kernel.ready = ready;
      return { change: (next) => kernel.wishes.push(next), close: () => {} };
    },
  };
  return { kernel, calls };
}

const nameOf = (port: number) => toName(2, '192.0.2.7', port)!;
const datagram = (port: number, text: string, flags = 0): Datagram => ({
  name: nameOf(port),
  octets: Buffer.from(text),
  flags,
});

async function open(change: Partial<UdpOptions> = {}) {
  const { kernel, calls } = createKernel();
  const events: UdpEvent[] = [];
  const fatal: Error[] = [];
  const listener = await openMmsg(calls, {
    driver: 'mmsg',
    addresses: ['127.0.0.1'],
    port: 0,
    reusePort: true,
    receiveBufferBytes: 0,
    onBatch(batch) {
      for (let i = 0; i < batch.count; i++) batch.reply(i, batch.data[i]!, batch.starts[i]!, batch.lengths[i]!);
    },
    count: (event) => events.push(event),
    warn: () => {},
    onFatal: (error) => fatal.push(error),
    ...change,
  });
  return { kernel, listener, events, fatal };
}

t.test('what nobody can be answered to, and what was cut, is left out of the batch and counted', async (t) => {
  const { kernel, events } = await open();
  kernel.incoming.push([datagram(1, 'one'), datagram(0, 'port zero'), datagram(2, 'cut', 0x20), datagram(3, 'three')]);
  kernel.ready();
  await until(() => kernel.sent.length === 2, 'the replies');
  t.strictSame(kernel.sent, [
    { port: 1, text: 'one', control: 0 },
    { port: 3, text: 'three', control: 0 },
  ]);
  t.strictSame(events, ['source_port_zero', 'truncated']);
});

t.test('an interrupted call is made again in the next turn, and a turn ends after some batches', async (t) => {
  const { kernel, fatal } = await open();
  const full = Array.from({ length: 32 }, (_, i) => datagram(i + 1, 'x'));
  kernel.incoming.push(EINTR);
  kernel.ready();
  await until(() => kernel.incoming.length === 0, 'the first turn');
  for (let i = 0; i < 20; i++) kernel.incoming.push(full);
  kernel.ready();
  await until(() => kernel.incoming.length === 12, 'eight batches in a turn');
  await new Promise(setImmediate);
  t.equal(kernel.incoming.length, 12, 'then nothing before the loop says that there is more');
  t.equal(kernel.sent.length, 8 * 32);
  t.strictSame(fatal, []);
});

t.test('what comes in quick succession is let gather, but nothing waits behind a full batch or a lull', async (t) => {
  let nowMs = 0;
  t.intercept(performance, 'now', { value: () => nowMs });
  const { kernel } = await open({ gathers: true });
  const full = Array.from({ length: 32 }, (_, i) => datagram(i + 1, 'x'));
  const arrive = async (...batches: (readonly Datagram[])[]) => {
    kernel.incoming.push(...batches);
    kernel.ready();
    await new Promise(setImmediate);
    t.equal(kernel.incoming.length, 0);
    return kernel.pauses.splice(0);
  };
  nowMs = 1000;
  t.strictSame(await arrive([datagram(1, 'first')]), []);
  nowMs += 0.05;
  t.strictSame(await arrive([datagram(1, 'soon after')]), [50]);
  nowMs += 0.2;
  t.strictSame(await arrive([datagram(1, 'after a lull')]), []);
  t.strictSame(await arrive(...Array.from({ length: 8 }, () => full)), [50]);
  t.strictSame(await arrive([datagram(1, 'was waiting already')]), []);
  t.equal(kernel.sent.length, 4 + 8 * 32);
});

t.test('datagrams do not wait for each other where that was not asked for', async (t) => {
  const { kernel } = await open();
  for (let n = 1; n <= 3; n++) {
    kernel.incoming.push([datagram(n, 'x')]);
    kernel.ready();
    await until(() => kernel.sent.length === n, 'the answer');
  }
  t.strictSame(kernel.pauses, []);
});

t.test('a socket that died is told to its owner', async (t) => {
  const { kernel, fatal } = await open();
  kernel.incoming.push(EBADF);
  kernel.ready();
  await until(() => fatal.length === 1, 'the end');
  t.match(fatal[0], { code: 'EBADF', syscall: 'recvmmsg' });
});

t.test('a message that cannot be sent is skipped, those behind it leave', async (t) => {
  const { kernel, events } = await open();
  kernel.incoming.push([1, 2, 3, 4].map((port) => datagram(port, String(port))));
  kernel.answers.push(1, EPERM, EINTR, 2);
  kernel.ready();
  await until(() => kernel.sent.length === 3, 'the others');
  t.strictSame(
    kernel.sent.map(({ port }) => port),
    [1, 3, 4],
  );
  t.strictSame(events, ['send_error']);
});

t.test('without room in the kernel replies wait, until there is some', async (t) => {
  const { kernel, listener, events } = await open();
  kernel.incoming.push([datagram(1, 'waits')]);
  kernel.answers.push(EAGAIN);
  kernel.ready();
  await until(() => kernel.wishes.length === 2, 'room is wished for');
  t.strictSame(kernel.wishes.at(-1), { readable: true, writable: true });
  t.strictSame(kernel.sent, []);
  kernel.ready();
  await until(() => kernel.sent.length === 1, 'it leaves');
  t.strictSame(kernel.wishes.at(-1), { readable: true, writable: false });
  kernel.answers.push(EAGAIN, EAGAIN);
  listener.sockets[0]!.send({ address: '192.0.2.7', port: 9 }, Buffer.from('last'), 0, 4);
  await until(() => kernel.wishes.at(-1)?.writable === true, 'room is wished for again');
  const stopped = listener.stop();
  kernel.ready();
  await stopped;
  t.equal(kernel.sent.at(-1)?.text, 'last', 'what waits leaves before the end');
  t.equal(kernel.closed, 1);
  await listener.stop();
  t.equal(kernel.closed, 1, 'closed exactly once');
  t.strictSame(events, []);
});

t.test('so many wait and no more; a long one brings its own memory, the next in its place does not', async (t) => {
  const { kernel, calls } = createKernel();
  const events: UdpEvent[] = [];
  const queue = createSendQueue({
    calls,
    fd: 7,
    family: 2,
    withSource: true,
    count: (event) => events.push(event),
    capacity: 3,
  });
  const add = (text: string, source: Int32Array | null = null) => {
    const name = nameOf(5);
    queue.add(new Int32Array(name.buffer, name.byteOffset, 4), source, Buffer.from(text), 0, text.length);
  };
  const long = 'long'.repeat(2000);
  kernel.answers.push(EAGAIN);
  for (const text of ['first', long, 'third', 'fourth']) add(text);
  t.strictSame(events, ['send_queue_full']);
  t.equal(queue.waiting(), 3);
  t.ok(queue.flush());
  add('a', Int32Array.of(1));
  add('b');
  t.ok(queue.flush());
  t.strictSame(
    kernel.sent.map(({ text, control }) => [text, control]),
    [
      ['first', 0],
      [long, 0],
      ['third', 0],
      ['a', 32],
      ['b', 0],
    ],
  );
  kernel.answers.push(EAGAIN);
  add('given up');
  queue.flush();
  queue.discard();
  t.equal(queue.waiting(), 0);
  t.equal(events.at(-1), 'send_error');
});

t.test('addresses as the kernel has them', async (t) => {
  const words = (name: Buffer) => new Int32Array(name.buffer, name.byteOffset, name.length / 4);
  for (const address of ['192.0.2.200', '0.0.0.0', '255.255.255.255']) {
    t.equal(addressText(2, words(toName(2, address, 1812)!)), address);
    t.equal(addressText(10, words(toName(10, address, 1812)!)), address, 'mapped');
  }
  for (const address of ['::1', '2001:db8::1:0:0:1', 'fe80::ff:fe00:1', '::', 'ff02::1:2']) {
    t.equal(addressText(10, words(toName(10, address, 1812)!)), address);
  }
  t.equal(toName(2, '::1', 1), undefined);
  t.equal(toName(10, 'nowhere', 1), undefined);
  const peer: Peer = { address: '192.0.2.7', port: 65_535 };
  t.equal(toName(2, peer.address, peer.port)!.readUInt16BE(2), 65_535);
});
