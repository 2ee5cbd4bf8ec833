// The UDP driver of plain Node: batches of one datagram, one socket per address, replies from the socket that was asked.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv4, isIPv6 } from 'node:net';
import type { Peer, UdpBatch, UdpListener, UdpOptions, UdpSocket } from '../udp.ts';
import { pauseOf } from './dgram-pause.ts';

/** Datagrams one socket may have waiting in libuv before further ones are dropped. */
const maxQueued = 4096;
const mapped = '::ffff:';

type OpenSocket = { socket: Socket; udp: UdpSocket; drained(): Promise<void>; stopReceiving(): void };

export async function openDgram(options: UdpOptions): Promise<UdpListener> {
  const opened: OpenSocket[] = [];
  const dualStack = !options.addresses.some((address) => isIPv4(address));
  let stopped: Promise<void> | undefined;

  const stopReceiving = () => {
    for (const { stopReceiving } of opened) stopReceiving();
  };

  const stop = () => {
    stopReceiving();
    stopped ??= Promise.all(
      opened.map(async ({ socket, drained }) => {
        await drained();
        await new Promise<void>((resolve) => socket.close(() => resolve()));
      }),
    ).then(() => undefined);
    return stopped;
  };

  try {
    for (const [index, address] of options.addresses.entries()) {
      opened.push(await openSocket(address, index, dualStack, options));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const grantedBytes = Math.min(...opened.map(({ socket }) => grantedOf(socket)));
  return { driver: 'dgram', sockets: opened.map(({ udp }) => udp), grantedBytes, stopReceiving, stop };
}

/** Linux books twice of what it grants, for its own overhead. */
function grantedOf(socket: Socket): number {
  const booked = socket.getRecvBufferSize();
  return process.platform === 'linux' ? booked / 2 : booked;
}

async function openSocket(
  address: string,
  index: number,
  dualStack: boolean,
  options: UdpOptions,
): Promise<OpenSocket> {
  const socket = createSocket({
    type: isIPv6(address) ? 'udp6' : 'udp4',
    reusePort: options.reusePort,
    ipv6Only: isIPv6(address) && !dualStack,
    // Peers are addresses, never names: no resolver on the way of a reply.
    lookup: (hostname, _options, callback) => callback(null, hostname, isIPv6(hostname) ? 6 : 4),
  });
  const handed = options.handed?.[index];
  const pause = handed === undefined ? () => {} : pauseOf(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    // `exclusive`: in a cluster every process has its own socket.
    const place = handed === undefined ? { address, port: options.port } : { fd: handed };
    socket.bind({ ...place, exclusive: true }, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  socket.on('error', options.onFatal);
  // One that was handed over may have more than we could ask for.
  const has = handed === undefined ? 0 : grantedOf(socket);
  if (options.receiveBufferBytes > has) socket.setRecvBufferSize(options.receiveBufferBytes);

  let queued = 0;
  let drainedNow: (() => void) | undefined;
  const toMapped = isIPv6(address);

  function send(peer: Peer, data: Buffer, start: number, length: number): void {
    if (queued >= maxQueued) {
      options.count('send_queue_full');
      return;
    }
    const to = toMapped && isIPv4(peer.address) ? mapped + peer.address : peer.address;
    queued++;
    try {
      socket.send(Buffer.from(data.subarray(start, start + length)), peer.port, to, sent);
    } catch {
      // Node throws for what it can tell beforehand (closed socket, port 0): the same to us as a failed send.
      sent(new Error('send refused'));
    }
  }

  function sent(error: Error | null): void {
    if (error) options.count('send_error');
    if (--queued === 0) drainedNow?.();
  }

  const udp: UdpSocket = { address, index, port: socket.address().port, send };
  const data: Buffer[] = [];
  const lengths: number[] = [];
  const peers: Peer[] = [];
  const batch: UdpBatch = {
    count: 1,
    data,
    starts: [0],
    lengths,
    peers,
    reply(i, reply, start, length) {
      const peer = peers[i];
      if (peer) send(peer, reply, start, length);
    },
  };
  socket.on('message', (message: Buffer, from: RemoteInfo) => {
    if (from.port === 0) {
      options.count('source_port_zero');
      return;
    }
    data[0] = message;
    lengths[0] = message.length;
    peers[0] = from.address.startsWith(mapped) ? { address: from.address.slice(mapped.length), port: from.port } : from;
    options.onBatch(batch, udp);
  });

  const drained = () =>
    queued === 0
      ? Promise.resolve()
      : new Promise<void>((resolve) => {
          drainedNow = resolve;
        });
  const stopReceiving = () => {
    pause();
    socket.removeAllListeners('message');
  };
  return { socket, udp, drained, stopReceiving };
}
