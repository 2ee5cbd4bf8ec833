// Memory for many messages in one system call: struct mmsghdr, iovec, names, control data and octets, all in one object that keeps them
// where the kernel was told they are.
import { type Calls, is } from './calls.ts';
import { type Family, nameLength } from './socket-address.ts';

// struct mmsghdr in 32-bit words: name pointer (0, 1), its length (2), iovec pointer (4, 5) and count (6, 7), control pointer (8, 9) and
// length (10, 11), flags (12), octets received (14). struct iovec: pointer (0, 1), length (2, 3).
const headerWords = 16;
const vectorWords = 4;
/** Room for one name and for one control message with packet information, IPv6 or IPv4. */
const nameStride = 8;
const controlStride = 12;

/** Octets of a control message that carries struct in_pktinfo (ip(7)) or in6_pktinfo (ipv6(7)), padding included. */
const controlLength = { [is.inet]: 32, [is.inet6]: 40 } as const;
/** Words in which the address of ours lies: ipi_spec_dst; ipi6_addr and ipi6_ifindex. */
export const sourceAt = { [is.inet]: 5, [is.inet6]: 4 } as const;
export const sourceWords = { [is.inet]: 1, [is.inet6]: 5 } as const;

export type Messages = {
  /** What the calls are given. */
  readonly headers: Buffer;
  /** Message i has octets from i × `stride` on. */
  readonly data: Buffer;
  readonly stride: number;
  /** The name of message i in words from `nameOffset(i)` on, its packet information from `controlOffset(i)` on. */
  readonly names: Int32Array;
  readonly controls: Int32Array;
  nameOffset(i: number): number;
  controlOffset(i: number): number;
  /** Ready to be received into. */
  prepare(i: number): void;
  /** Ready to be sent: `length` octets of its own memory, or all of `other`. */
  fill(i: number, length: number, withSource: boolean, other?: Buffer): void;
  received(i: number): number;
  wasTruncated(i: number): boolean;
  /** Whether the kernel told which address of ours it was sent to. */
  hasSource(i: number): boolean;
};

export type MessagesOptions = {
  readonly calls: Calls;
  readonly family: Family;
  readonly count: number;
  /** The longest that fits its own memory. */
  readonly octets: number;
  /** Receives or sends packet information. */
  readonly withSource: boolean;
};

export function createMessages({ calls, family, count, octets, withSource }: MessagesOptions): Messages {
  // Not a multiple of a page: else the first lines of all messages would fall into the same few sets of the cache.
  const stride = octets + 9 * 64;
  const data = memory(count * stride);
  const headers = memory(count * headerWords * 4);
  const vectors = memory(count * vectorWords * 4);
  const namesMemory = memory(count * nameStride * 4);
  const controlsMemory = memory(count * controlStride * 4);
  const header = wordsOf(headers);
  const vector = wordsOf(vectors);
  const names = wordsOf(namesMemory);
  const controls = wordsOf(controlsMemory);
  const dataAddress = calls.addressOf(data);
  const others = new Array<Buffer | undefined>(count);

  const at = (base: Buffer, i: number, words: number) => calls.addressOf(base) + BigInt(i * words * 4);
  for (let i = 0; i < count; i++) {
    headers.writeBigUInt64LE(at(namesMemory, i, nameStride), i * headerWords * 4);
    headers.writeBigUInt64LE(at(vectors, i, vectorWords), i * headerWords * 4 + 16);
    header[i * headerWords + 6] = 1;
    if (withSource) headers.writeBigUInt64LE(at(controlsMemory, i, controlStride), i * headerWords * 4 + 32);
    ownMemory(i);
  }

  function ownMemory(i: number): void {
    vectors.writeBigUInt64LE(dataAddress + BigInt(i * stride), i * vectorWords * 4);
    vector[i * vectorWords + 2] = octets;
    others[i] = undefined;
  }

  return {
    headers,
    data,
    stride,
    names,
    controls,
    nameOffset: (i) => i * nameStride,
    controlOffset: (i) => i * controlStride,
    prepare(i) {
      header[i * headerWords + 2] = nameLength[family];
      header[i * headerWords + 10] = withSource ? controlStride * 4 : 0;
      header[i * headerWords + 12] = 0;
    },
    fill(i, length, pinned, other) {
      header[i * headerWords + 2] = nameLength[family];
      header[i * headerWords + 10] = pinned ? controlLength[family] : 0;
      header[i * headerWords + 12] = 0;
      if (pinned) writeControlHeader(controls, i * controlStride, family);
      if (others[i]) ownMemory(i);
      if (other) {
        vectors.writeBigUInt64LE(calls.addressOf(other), i * vectorWords * 4);
        others[i] = other;
      }
      vector[i * vectorWords + 2] = length;
    },
    received: (i) => header[i * headerWords + 14] as number,
    wasTruncated: (i) => ((header[i * headerWords + 12] as number) & is.truncated) !== 0,
    hasSource(i) {
      const from = i * controlStride;
      return (
        (header[i * headerWords + 10] as number) >= 16 + sourceWords[family] * 4 &&
        controls[from + 2] === (family === is.inet ? is.level.ip : is.level.ipv6) &&
        controls[from + 3] === (family === is.inet ? is.ip.packetInfo : is.ipv6.packetInfo)
      );
    },
  };
}

/** struct cmsghdr (cmsg(3)): length with itself, level, type. The interface of IPv4 stays 0: the route decides. */
function writeControlHeader(controls: Int32Array, at: number, family: Family): void {
  controls[at] = family === is.inet ? 28 : 36;
  controls[at + 1] = 0;
  controls[at + 2] = family === is.inet ? is.level.ip : is.level.ipv6;
  controls[at + 3] = family === is.inet ? is.ip.packetInfo : is.ipv6.packetInfo;
  if (family === is.inet) {
    controls[at + 4] = 0;
    controls[at + 6] = 0;
  }
}

/** Memory of its own, which nothing moves. */
function memory(octets: number): Buffer {
  return Buffer.from(new ArrayBuffer(octets));
}

function wordsOf(buffer: Buffer): Int32Array {
  return new Int32Array(buffer.buffer, buffer.byteOffset, buffer.length / 4);
}
