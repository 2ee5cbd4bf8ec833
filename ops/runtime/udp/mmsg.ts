// The UDP driver of batched system calls (Linux): recvmmsg and sendmmsg, the socket watched by the event loop itself, so that nothing
// ever waits in a thread and a process or worker can end at any moment.
import { isIPv6 } from 'node:net';
import type { Peer, UdpBatch, UdpListener, UdpOptions, UdpSocket } from '../udp.ts';
import { type Calls, errorName, systemError, type Watch } from './mmsg/calls.ts';
import { createMessages } from './mmsg/messages.ts';
import { createPeerTable, type KnownPeer } from './mmsg/peers.ts';
import { createSendQueue } from './mmsg/send-queue.ts';
import { type Family, familyOf, toName } from './mmsg/socket-address.ts';
import { type Bound, bindSocket, describeSocket, makeSocket, type SocketWish } from './mmsg/socket-steps.ts';

/** Datagrams per call: more would only make the first ones wait for their replies. After so many calls everything else has its turn. */
const batchSize = 32;
const batchesPerTurn = 8;
/**
 * Where one datagram follows the other sooner than this, they are let gather, as network cards do before they interrupt: a turn of the event
 * loop for each of them costs as much as the answer.
 */
const gatherWithinMs = 0.1;
const gatherUs = 50;
/** The longest UDP datagram; memory that none has reached is not touched. */
const longestDatagram = 65_535;
const closeWithinMs = 1000;

/** What a socket of ours cannot recover from. */
const lasting = new Set(['EBADF', 'ENOTSOCK', 'EFAULT', 'EINVAL']);

type OpenSocket = {
  readonly udp: UdpSocket;
  readonly grantedBytes: number;
  stopReceiving(): void;
  /** Called once. */
  close(): Promise<void>;
};

export async function openMmsg(calls: Calls, options: UdpOptions): Promise<UdpListener> {
  const opened: OpenSocket[] = [];
  const dualStack = options.addresses.every(isIPv6);
  let stopped: Promise<void> | undefined;

  const stopReceiving = () => {
    for (const socket of opened) socket.stopReceiving();
  };
  const stop = () => {
    stopReceiving();
    stopped ??= Promise.all(opened.map((socket) => socket.close())).then(() => undefined);
    return stopped;
  };

  try {
    for (const [index, address] of options.addresses.entries()) {
      opened.push(openSocket(calls, address, index, dualStack, options));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const granted = Math.min(...opened.map(({ grantedBytes }) => grantedBytes));
  return { driver: 'mmsg', sockets: opened.map(({ udp }) => udp), grantedBytes: granted, stopReceiving, stop };
}

function openSocket(calls: Calls, address: string, index: number, dualStack: boolean, options: UdpOptions): OpenSocket {
  const family = familyOf(address);
  const { fd, port, withSource, grantedBytes } = boundSocket(calls, options, index, {
    ...{ kind: 'datagrams', address, dualStack, port: options.port },
    ...{ reusePort: options.reusePort, receiveBufferBytes: options.receiveBufferBytes },
  });
  const received = createMessages({ calls, family, count: batchSize, octets: longestDatagram, withSource });
  const known = createPeerTable(family);
  const names = new WeakMap<Peer, Int32Array>();
  const queue = createSendQueue({ calls, fd, family, withSource, count: options.count });

  let receiving = true;
  let closed = false;
  let turnIsDue = false;
  let flushIsDue = false;
  let wantsRoom = false;
  let lastCount = 0;
  let lastTurnMs = 0;
  let whenSent: (() => void) | undefined;

  // One object for all batches: it is valid only during the handler's call.
  const starts = new Int32Array(batchSize);
  const lengths = new Int32Array(batchSize);
  const peers: Peer[] = [];
  const batch = {
    count: 0,
    data: new Array<Buffer>(batchSize).fill(received.data),
    starts,
    lengths,
    peers,
    reply(i: number, data: Buffer, start: number, length: number): void {
      const peer = peers[i];
      if (peer) add(peer, data, start, length);
    },
  } satisfies UdpBatch;
  for (let i = 0; i < batchSize; i++) received.prepare(i);

  function add(peer: Peer, data: Buffer, start: number, length: number): void {
    if (isKnown(peer, family)) {
      queue.add(peer.name, peer.source, data, start, length);
      return;
    }
    const name = nameOf(peer);
    if (name) queue.add(name, null, data, start, length);
    else options.count('send_error');
  }

  /** Of somebody who is sent to before anything came from there: made once, as callers keep such peers. */
  function nameOf(peer: Peer): Int32Array | undefined {
    const made = names.get(peer);
    if (made) return made;
    const octets = toName(family, peer.address, peer.port);
    const name = octets && new Int32Array(octets.buffer, octets.byteOffset, octets.length / 4);
    if (name) names.set(peer, name);
    return name;
  }

  function flush(): void {
    if (closed) return;
    const needsRoom = !queue.flush();
    if (!needsRoom) whenSent?.();
    if (needsRoom === wantsRoom) return;
    wantsRoom = needsRoom;
    watch.change({ readable: receiving, writable: needsRoom });
  }

  /** One call's worth; answers how many datagrams it brought. */
  function receive(): number {
    const count = calls.receiveMany(fd, received.headers, batchSize);
    if (count < 0) {
      const code = errorName(count);
      if (lasting.has(code)) options.onFatal(systemError(count, 'recvmmsg', `${address}:${port}`));
      return 0;
    }
    batch.count = 0;
    for (let i = 0; i < count; i++) {
      take(i);
      received.prepare(i);
    }
    if (batch.count > 0) {
      try {
        options.onBatch(batch, udp);
      } finally {
        flush();
      }
    }
    return count;
  }

  function take(i: number): void {
    const peer = received.wasTruncated(i) ? null : known.of(received, i);
    // Nobody can be answered at port 0, and one such message would stop all behind it from being sent.
    if (!peer || peer.port === 0) {
      options.count(peer ? 'source_port_zero' : 'truncated');
      return;
    }
    const at = batch.count++;
    starts[at] = i * received.stride;
    lengths[at] = received.received(i);
    peers[at] = peer;
  }

  /** More come soon, and none wait since before. */
  function isBusy(): boolean {
    return lastCount < batchSize && performance.now() - lastTurnMs < gatherWithinMs;
  }

  function turn(): void {
    turnIsDue = false;
    if (wantsRoom) flush();
    if (options.gathers && isBusy()) calls.pause(gatherUs);
    for (let call = 0; call < batchesPerTurn && receiving; call++) {
      lastCount = receive();
      if (lastCount < batchSize) break;
    }
    if (options.gathers) lastTurnMs = performance.now();
  }

  // What the callback would throw nobody would catch; as an immediate it is an error like any other.
  const watch: Watch = calls.watch(fd, { readable: true, writable: false }, () => {
    if (turnIsDue) return;
    turnIsDue = true;
    setImmediate(turn);
  });

  const udp: UdpSocket = {
    address,
    port,
    index,
    send(peer, data, start, length) {
      if (closed) {
        options.count('send_error');
        return;
      }
      add(peer, data, start, length);
      if (flushIsDue) return;
      flushIsDue = true;
      // Behind everything this turn has still to say.
      process.nextTick(() => {
        flushIsDue = false;
        flush();
      });
    },
  };

  return {
    udp,
    grantedBytes,
    stopReceiving() {
      if (!receiving) return;
      receiving = false;
      watch.change({ readable: false, writable: wantsRoom });
    },
    async close() {
      flush();
      if (queue.waiting() > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, closeWithinMs);
          whenSent = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      queue.discard();
      closed = true;
      watch.close();
      calls.close(fd);
    },
  };
}

/** A descriptor of our own: a new socket, or one that was handed over. */
function boundSocket(calls: Calls, { handed }: UdpOptions, index: number, wish: SocketWish): Bound & { fd: number } {
  const given = handed?.[index];
  const fd = given ?? makeSocket(calls, wish);
  try {
    if (given === undefined) bindSocket(calls, fd, wish);
    return { fd, ...describeSocket(calls, fd, wish) };
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}

function isKnown(peer: Peer, family: Family): peer is KnownPeer {
  return 'name' in peer && (peer as KnownPeer).family === family;
}
