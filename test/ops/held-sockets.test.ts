// The sockets that the supervisor holds: made, bound late, kept, given back; and which thread reads which of them.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import t from 'tap';
import { handedSockets, setsOf } from '#ops/runtime/handed-sockets.ts';
import { loadCalls } from '#ops/runtime/udp/mmsg/calls.ts';
import { createHeldSockets, type SocketWish } from '#ops/up/held-sockets.ts';
import { freePorts } from '#test/support/stack.ts';

const loaded = await loadCalls();
const skip = loaded.ok ? false : loaded.reason;

const wish = (port: number, sets: number, kind: SocketWish['kind'] = 'datagrams'): SocketWish => ({
  ...{ name: kind === 'datagrams' ? 'radius-auth' : 'radsec', kind, addresses: ['127.0.0.1'], port, sets },
});

/** How many sockets are bound to the port. */
function boundTo(port: number): number {
  const place = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/udp', 'utf8')
    .split('\n')
    .filter((line) => line.includes(` ${place} `)).length;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

/** What waits in each socket of the port, in bytes as the kernel books them. */
function waitingAt(port: number): number[] {
  const place = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = readFileSync('/proc/net/udp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local]) => local === place);
  return sockets.map(([, , , , queues]) => Number.parseInt(queues?.split(':')[1] ?? '0', 16));
}

t.test('sockets are bound when somebody is about to read, and stay', { skip }, async (t) => {
  const [port = 0] = await freePorts(1);
  const held = createHeldSockets();
  t.teardown(held.close);
  const first = await held.prepare([wish(port, 2)]);
  t.equal(boundTo(port), 0, 'not yet');
  await first.bind();
  first.keep();
  t.equal(boundTo(port), 2);

  const more = await held.prepare([wish(port, 3)]);
  t.strictSame(more.sockets.slice(0, 2), first.sockets, 'the same ones');
  more.discard();
  t.equal(boundTo(port), 2, 'what was not wanted after all is gone');

  const grown = await held.prepare([wish(port, 3)]);
  await grown.bind();
  t.equal(boundTo(port), 2, 'nothing arrives in a new one while the former ones are read');
  grown.share();
  t.equal(boundTo(port), 3);
  t.equal(grown.retreat().length, 3, 'what waits in a new one is for whoever goes on');
  t.equal(boundTo(port), 3);

  const undone = await held.prepare([wish(port, 4)]);
  await undone.bind();
  t.equal(undone.retreat().length, 3, 'one that was not bound is no use to anybody');

  const fewer = await held.prepare([wish(port, 1)]);
  await fewer.bind();
  fewer.keep();
  t.equal(boundTo(port), 3, 'none of a port that is read is closed');

  const [elsewhere = 0] = await freePorts(1);
  const moved = await held.prepare([wish(elsewhere, 1)]);
  await moved.bind();
  moved.retreat();
  t.equal(boundTo(elsewhere), 0, 'back to the former port');
  const again = await held.prepare([wish(elsewhere, 1)]);
  await again.bind();
  again.keep();
  t.strictSame([boundTo(port), boundTo(elsewhere)], [0, 1]);
  held.close();
  t.equal(boundTo(elsewhere), 0);
});

t.test('more sockets for a port lose nothing that arrives before somebody reads them', { skip }, async (t) => {
  const [port = 0] = await freePorts(1);
  const held = createHeldSockets();
  t.teardown(held.close);
  const first = await held.prepare([wish(port, 1)]);
  await first.bind();
  first.keep();
  const grown = await held.prepare([wish(port, 4)]);
  await grown.bind();
  const senders = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const sender = createSocket('udp4');
      t.teardown(() => sender.close());
      sender.connect(port, '127.0.0.1');
      await once(sender, 'connect');
      return sender;
    }),
  );
  const send = () =>
    Promise.all(senders.map((sender) => new Promise<void>((done) => sender.send('request', () => done()))));
  await send();
  const [waitingBefore = 0, ...others] = waitingAt(port);
  t.ok(waitingBefore > 0);
  t.strictSame(others, [], 'all is with the one that is read');
  grown.share();
  grown.keep();
  await send();
  const waiting = waitingAt(port);
  t.equal(waiting.length, 4);
  t.equal(sum(waiting), 2 * waitingBefore, 'nothing is lost');
  t.ok(waiting.filter((bytes) => bytes > 0).length > 1, 'and the new ones have their share');
});

t.test('a port of another server is not shared with it', { skip }, async (t) => {
  const other = createSocket({ type: 'udp4', reusePort: true });
  t.teardown(() => other.close());
  other.bind(0, '127.0.0.1');
  await once(other, 'listening');
  const held = createHeldSockets();
  const prepared = await held.prepare([wish(other.address().port, 1)]);
  await t.rejects(prepared.bind(), { code: 'EADDRINUSE' });
  prepared.discard();
});

t.test('connections wait until somebody takes them', { skip }, async (t) => {
  const [port = 0] = await freePorts(1);
  const held = createHeldSockets();
  const prepared = await held.prepare([wish(port, 1, 'streams')]);
  await prepared.bind();
  prepared.keep();
  const client = connect(port, '127.0.0.1');
  await once(client, 'connect');
  t.pass('accepted by the kernel');
  client.destroy();
  held.close();
});

t.test('a port that the system is to choose is left to the process', { skip }, async (t) => {
  const prepared = await createHeldSockets().prepare([wish(0, 2)]);
  t.strictSame(prepared.sockets, []);
});

t.test('every set is read by one thread, whatever their number', async (t) => {
  const socket = (fd: number, set: number, address: string) => ({ fd, set, address, name: 'radius-auth', port: 1812 });
  const sockets = [0, 1, 2].flatMap((set) => [socket(10 + set, set, '192.0.2.1'), socket(20 + set, set, '192.0.2.2')]);
  const place = { name: 'radius-auth', addresses: ['192.0.2.2', '192.0.2.1'], port: 1812 };
  t.strictSame(setsOf(sockets, place, 1, 3), [[21, 11]], 'in the order of the addresses');
  t.strictSame(setsOf(sockets, place, 0, 2), [
    [20, 10],
    [22, 12],
  ]);
  t.strictSame(setsOf(sockets, place, 3, 4), []);
  t.strictSame(setsOf(sockets, { ...place, port: 1813 }, 0, 1), []);
  t.strictSame(setsOf(sockets, { ...place, addresses: ['192.0.2.9'] }, 0, 1), []);
});

t.test('what the supervisor tells is looked at', async (t) => {
  const socket = { fd: 4, name: 'radius-auth', address: '127.0.0.1', port: 1812, set: 0 };
  t.strictSame(handedSockets({ LASTMILE_SOCKETS: JSON.stringify([socket]) }), [socket]);
  t.strictSame(handedSockets({}), []);
  t.throws(() => handedSockets({ LASTMILE_SOCKETS: '[{"fd":1}]' }), /cannot be read/);
});
