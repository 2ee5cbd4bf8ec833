// Datagrams on their way out of one socket: gathered, handed to the kernel many at a time, kept for a while when it has no room.
import type { UdpEvent } from '../../udp.ts';
import { type Calls, errorName } from './calls.ts';
import { createMessages, sourceAt } from './messages.ts';
import type { Family } from './socket-address.ts';

export type SendQueue = {
  /** Copies the octets; they leave with the next `flush`. `source`: the address of ours they leave from. */
  add(name: Int32Array, source: Int32Array | null, data: Buffer, start: number, length: number): void;
  /** Sends what waits. False: the kernel has no room now. */
  flush(): boolean;
  waiting(): number;
  /** Gives up what waits. */
  discard(): void;
};

export type SendQueueOptions = {
  readonly calls: Calls;
  readonly fd: number;
  readonly family: Family;
  readonly withSource: boolean;
  count(event: UdpEvent): void;
  /** Datagrams that may wait. */
  readonly capacity?: number;
};

/** A RADIUS packet fits; a longer datagram brings memory of its own. */
const ownOctets = 4096;
const headerOctets = 64;

export function createSendQueue(options: SendQueueOptions): SendQueue {
  const { calls, fd, family, withSource, count, capacity = 1024 } = options;
  const messages = createMessages({ calls, family, count: capacity, octets: ownOctets, withSource });
  let head = 0;
  let tail = 0;

  function flush(): boolean {
    while (head < tail) {
      const headers = head === 0 ? messages.headers : messages.headers.subarray(head * headerOctets);
      const sent = calls.sendMany(fd, headers, tail - head);
      if (sent > 0) {
        head += sent;
        continue;
      }
      const code = errorName(sent);
      if (code === 'EINTR') continue;
      if (code === 'EAGAIN') return false;
      // The call stops in front of a message that cannot be sent, and says why when that is the first one.
      count('send_error');
      head++;
    }
    head = 0;
    tail = 0;
    return true;
  }

  return {
    add(name, source, data, start, length) {
      if (tail === capacity && !flush() && tail === capacity) {
        count('send_queue_full');
        return;
      }
      const i = tail++;
      copyWords(name, messages.names, messages.nameOffset(i));
      if (source) copyWords(source, messages.controls, messages.controlOffset(i) + sourceAt[family]);
      if (length > ownOctets) {
        messages.fill(i, length, source !== null, Buffer.from(data.subarray(start, start + length)));
        return;
      }
      data.copy(messages.data, i * messages.stride, start, start + length);
      messages.fill(i, length, source !== null);
    },
    flush,
    waiting: () => tail - head,
    discard() {
      for (; head < tail; head++) count('send_error');
      head = 0;
      tail = 0;
    },
  };
}

function copyWords(from: Int32Array, to: Int32Array, at: number): void {
  for (let word = 0; word < from.length; word++) to[at + word] = from[word] as number;
}
