// UDP as batches: a driver hands over what arrived, the handler answers into the same batch. Drivers differ, handlers do not.
import { addressProblems, wildcardProblems } from './udp/bind-addresses.ts';
import { openDgram } from './udp/dgram.ts';
import { loadCalls } from './udp/mmsg/calls.ts';
import { openMmsg } from './udp/mmsg.ts';

/** Where a datagram came from; may be kept. IPv4 stays dotted also on a dual-stack socket. */
export type Peer = { readonly address: string; readonly port: number };

/** Valid only during the handler's call: its memory belongs to the driver. */
export type UdpBatch = {
  readonly count: number;
  /** Datagram i is octets [starts[i], starts[i] + lengths[i]) of data[i]. */
  readonly data: readonly Buffer[];
  readonly starts: ArrayLike<number>;
  readonly lengths: ArrayLike<number>;
  readonly peers: readonly Peer[];
  /** Answers datagram i with octets [start, start + length) of `data`, copied at once. */
  reply(i: number, data: Buffer, start: number, length: number): void;
};

export type UdpSocket = {
  /** The address and port it listens on, and answers from. */
  readonly address: string;
  readonly port: number;
  /** Its place in the listener's `sockets`. */
  readonly index: number;
  /** Sends octets that are copied at once: for answers that come after the handler has returned. */
  send(peer: Peer, data: Buffer, start: number, length: number): void;
};

export const udpEvents = ['source_port_zero', 'truncated', 'send_error', 'send_queue_full'] as const;
export type UdpEvent = (typeof udpEvents)[number];

export const udpDrivers = ['auto', 'dgram', 'mmsg'] as const;
export type UdpDriver = (typeof udpDrivers)[number];

export type UdpOptions = {
  readonly driver: UdpDriver;
  /** One socket each. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Several sockets may then share the port; the kernel spreads source ports over them. */
  readonly reusePort: boolean;
  /** Descriptors of sockets that are bound already, one for each address: these are read, and what they hold is left to others at the end. */
  readonly handed?: readonly number[] | undefined;
  readonly receiveBufferBytes: number;
  /** Datagrams that come in quick succession may wait for each other a tenth of a millisecond: less processor time for each. */
  readonly gathers?: boolean;
  onBatch(batch: UdpBatch, socket: UdpSocket): void;
  /** What is dropped, by reason. */
  count(event: UdpEvent): void;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  /** A socket died: its owner cannot go on. */
  onFatal(error: Error): void;
};

export type UdpListener = {
  readonly driver: 'dgram' | 'mmsg';
  readonly sockets: readonly UdpSocket[];
  /** The smallest receive buffer of its sockets. */
  readonly grantedBytes: number;
  /**
   * Hands over nothing from now on; sending goes on until `stop`. What arrives then waits in the socket; only the driver of Node reads on
   * where the socket is its own, and drops what it reads.
   */
  stopReceiving(): void;
  /** Closes every socket; may be called again. Datagrams still queued for sending leave first. */
  stop(): Promise<void>;
};

/**
 * Binds a socket to every address. Throws with the reason, having closed what it had opened. `auto` takes the driver of batched system
 * calls where there is one, else that of Node, and says so.
 */
export async function openUdp(options: UdpOptions): Promise<UdpListener> {
  const problems = addressProblems(options.addresses);
  if (problems.length > 0) throw new Error(problems.join('; '));
  const listener = await openWith(options);
  tellReceiveBuffer(listener.grantedBytes, options);
  return listener;
}

async function openWith(options: UdpOptions): Promise<UdpListener> {
  if (options.driver !== 'dgram') {
    const loaded = await loadCalls();
    if (loaded.ok) return openMmsg(loaded.calls, options);
    if (options.driver === 'mmsg') throw new Error(`UDP_DRIVER mmsg cannot be used here: ${loaded.reason}`);
    options.warn(`UDP by the driver of Node, which is slower: ${loaded.reason}`, { driver: 'dgram' });
  }
  const problems = wildcardProblems(options.addresses);
  if (problems.length > 0) throw new Error(problems.join('; '));
  return openDgram(options);
}

/** One warning for all sockets: the limit is the kernel's. */
function tellReceiveBuffer(granted: number, { receiveBufferBytes, warn }: UdpOptions): void {
  if (granted >= receiveBufferBytes) return;
  warn(
    `the kernel grants a receive buffer of ${granted} bytes, bursts of datagrams may be lost: run \`sysctl -w net.core.rmem_max=${receiveBufferBytes}\` and keep it in /etc/sysctl.d`,
    { granted, asked: receiveBufferBytes },
  );
}

/** Throws when somebody has the port already: SO_REUSEPORT alone would share it with a second server without a word. */
export async function assertPortFree(addresses: readonly string[], port: number): Promise<void> {
  const problems = addressProblems(addresses);
  if (problems.length > 0) throw new Error(problems.join('; '));
  // It answers nobody, so a wildcard is as good as any address.
  const probe = await openDgram({
    driver: 'dgram',
    addresses,
    port,
    reusePort: false,
    receiveBufferBytes: 0,
    onBatch: () => undefined,
    count: () => undefined,
    warn: () => undefined,
    onFatal: () => undefined,
  });
  await probe.stop();
}
