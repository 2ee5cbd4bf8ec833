// TLS messages cut into packets of EAP and put together again (RFC 5216 §2.1.5, §3.1); TTLS and PEAP use the same flags.

const lengthIncluded = 0x80;
const moreFragments = 0x40;
const start = 0x20;
/** A certificate chain takes 2 to 8 KiB; nobody needs more than this. */
const longestMessage = 65_536;

export type Received =
  /** An empty Response: the peer has what was sent. */
  | { readonly kind: 'acknowledged' }
  /** Part of a message; the rest is asked for by an empty Request. */
  | { readonly kind: 'part' }
  | { readonly kind: 'message'; readonly octets: Buffer }
  | { readonly kind: 'malformed' };

export type TlsFrames = {
  start(): Buffer;
  /** The first packet of a message. */
  send(message: Buffer): Buffer;
  /** The next packet of the message that is being sent, undefined when all of it was. */
  next(): Buffer | undefined;
  receive(data: Buffer): Received;
};

/** An empty packet: it acknowledges, or hands the turn over. */
export const emptyFrame: Buffer = Buffer.of(0);

/** @param mostOctets of TLS in a packet */
export function createTlsFrames(mostOctets: number): TlsFrames {
  let outgoing: Buffer = Buffer.alloc(0);
  let sent = 0;
  let parts: Buffer[] = [];
  let partsLength = 0;

  function next(): Buffer | undefined {
    if (sent >= outgoing.length) return undefined;
    const chunk = outgoing.subarray(sent, sent + mostOctets);
    const isFirst = sent === 0;
    sent += chunk.length;
    const more = sent < outgoing.length;
    if (!isFirst || !more) return Buffer.concat([Buffer.of(more ? moreFragments : 0), chunk]);
    const head = Buffer.of(lengthIncluded | moreFragments, 0, 0, 0, 0);
    head.writeUInt32BE(outgoing.length, 1);
    return Buffer.concat([head, chunk]);
  }

  return {
    start: () => Buffer.of(start),
    send(message) {
      outgoing = message;
      sent = 0;
      return next() ?? emptyFrame;
    },
    next,
    receive(data) {
      const flags = data[0];
      if (flags === undefined) return { kind: 'malformed' };
      const head = flags & lengthIncluded ? 5 : 1;
      if (data.length < head) return { kind: 'malformed' };
      const chunk = data.subarray(head);
      partsLength += chunk.length;
      if (partsLength > longestMessage) return { kind: 'malformed' };
      if (chunk.length > 0) parts.push(chunk);
      if (flags & moreFragments) return chunk.length > 0 ? { kind: 'part' } : { kind: 'malformed' };
      if (partsLength === 0) return { kind: 'acknowledged' };
      const octets = Buffer.concat(parts);
      parts = [];
      partsLength = 0;
      return { kind: 'message', octets };
    },
  };
}
