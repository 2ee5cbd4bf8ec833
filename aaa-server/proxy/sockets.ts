// The UDP sockets that ask one port of a home server: 256 identifiers each (RFC 2865 §3), a further one when all are taken, up to a limit.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/** One identifier of one socket, ours until released. */
export type Slot = { readonly identifier: number; send(data: Buffer): void; release(): void };

export type HomeSocketsOptions<W> = {
  readonly address: string;
  readonly port: number;
  /** Identifiers taken at a time, at most. */
  readonly limit: number;
  /** A datagram from the right place; `waiting` undefined: nobody waits for that identifier. */
  onReply(data: Buffer, waiting: W | undefined): void;
  /** A datagram from elsewhere. */
  onForeign(): void;
  onError(error: Error): void;
};

export type HomeSockets<W> = {
  /** Null when as many as allowed are taken. */
  take(waiting: W): Slot | null;
  taken(): number;
  close(): void;
};

const identifiers = 256;
const mapped = '::ffff:';

type Entry<W> = { readonly socket: Socket; readonly waiting: (W | undefined)[]; taken: number; next: number };

export function createHomeSockets<W>(options: HomeSocketsOptions<W>): HomeSockets<W> {
  const { address, port, limit, onReply, onForeign, onError } = options;
  const family = isIPv6(address) ? 6 : 4;
  const entries: Entry<W>[] = [];
  let taken = 0;
  let closed = false;

  const isHome = (from: RemoteInfo) =>
    from.port === port && (from.address === address || from.address === mapped + address);

  function open(): Entry<W> {
    const socket = createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      // It is an address: no resolver on the way.
      lookup: (hostname, _options, callback) => callback(null, hostname, family),
    });
    const entry: Entry<W> = {
      socket,
      waiting: new Array<W | undefined>(identifiers).fill(undefined),
      taken: 0,
      next: 0,
    };
    socket.on('error', onError);
    socket.on('message', (data, from) => {
      if (!isHome(from)) return onForeign();
      const identifier = data[1];
      onReply(data, identifier === undefined ? undefined : entry.waiting[identifier]);
    });
    entries.push(entry);
    return entry;
  }

  return {
    take(waiting) {
      if (closed || taken >= limit) return null;
      const entry = entries.find((one) => one.taken < identifiers) ?? open();
      // Going round gives a late reply the longest time to be recognised as such.
      while (entry.waiting[entry.next] !== undefined) entry.next = (entry.next + 1) % identifiers;
      const identifier = entry.next;
      entry.next = (entry.next + 1) % identifiers;
      entry.waiting[identifier] = waiting;
      entry.taken++;
      taken++;
      return {
        identifier,
        send(data) {
          if (closed) return;
          entry.socket.send(data, port, address, (error) => {
            if (error && !closed) onError(error);
          });
        },
        release() {
          if (entry.waiting[identifier] !== waiting) return;
          entry.waiting[identifier] = undefined;
          entry.taken--;
          taken--;
        },
      };
    },
    taken: () => taken,
    close() {
      closed = true;
      for (const { socket } of entries.splice(0)) socket.close();
    },
  };
}
