// The UDP sockets of the CoA client: each has 256 identifiers, a further one opens when all are taken (RFC 2865 §3).
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';

export type Reply = { readonly data: Buffer; readonly address: string; readonly port: number };

/** One identifier of one socket, ours until released. */
export type Slot = {
  readonly identifier: number;
  send(data: Buffer, port: number, address: string): void;
  release(): void;
};

export type SocketPool = {
  /** Null when every identifier of the largest allowed number of sockets is taken. Rejects when no socket can be bound. */
  acquire(family: 4 | 6, onReply: (reply: Reply) => void): Promise<Slot | null>;
  outstanding(): number;
  close(): void;
};

export type SocketPoolOptions = {
  /** Address to send from; empty: by route. */
  source: string;
  socketLimit: number;
  onError(error: Error): void;
  /** A datagram nobody waits for: a late reply or a stranger's. */
  onStray(): void;
};

const identifiers = 256;
type Entry = {
  socket: Socket;
  waiting: (((reply: Reply) => void) | undefined)[];
  taken: number;
  next: number;
};

export function createSocketPool(options: SocketPoolOptions): SocketPool {
  const pools = { 4: [] as Entry[], 6: [] as Entry[] };
  const opening: { 4: Promise<Entry> | null; 6: Promise<Entry> | null } = { 4: null, 6: null };
  let closed = false;

  async function open(family: 4 | 6): Promise<Entry> {
    const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', ipv6Only: family === 6 });
    const entry: Entry = { socket, waiting: new Array(identifiers).fill(undefined), taken: 0, next: 0 };
    const address = options.source !== '' && isIPv6(options.source) === (family === 6) ? options.source : undefined;
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ port: 0, ...(address === undefined ? {} : { address }) }, resolve);
    });
    socket.removeAllListeners('error');
    socket.on('error', options.onError);
    socket.on('message', (data, from) => {
      const receiver = data.length >= 2 ? entry.waiting[data[1] ?? 0] : undefined;
      if (receiver) receiver({ data, address: from.address, port: from.port });
      else options.onStray();
    });
    if (closed) socket.close();
    else pools[family].push(entry);
    return entry;
  }

  function take(entry: Entry, onReply: (reply: Reply) => void): Slot {
    // Going round gives a late reply the longest time to be recognised as stray.
    while (entry.waiting[entry.next]) entry.next = (entry.next + 1) % identifiers;
    const identifier = entry.next;
    entry.next = (entry.next + 1) % identifiers;
    entry.waiting[identifier] = onReply;
    entry.taken++;
    return {
      identifier,
      send(data, port, address) {
        if (!closed) entry.socket.send(data, port, address, (error) => error && options.onError(error));
      },
      release() {
        if (entry.waiting[identifier] !== onReply) return;
        entry.waiting[identifier] = undefined;
        entry.taken--;
      },
    };
  }

  return {
    async acquire(family, onReply) {
      for (;;) {
        if (closed) return null;
        const free = pools[family].find((entry) => entry.taken < identifiers);
        if (free) return take(free, onReply);
        if (pools[family].length >= options.socketLimit) return null;
        opening[family] ??= open(family).finally(() => {
          opening[family] = null;
        });
        await opening[family];
      }
    },
    outstanding: () => [...pools[4], ...pools[6]].reduce((sum, entry) => sum + entry.taken, 0),
    close() {
      closed = true;
      for (const entry of [...pools[4].splice(0), ...pools[6].splice(0)]) entry.socket.close();
    },
  };
}
