// Our Proxy-State (RFC 2865 §5.33): says that a request went through this node, so that one that comes back is known.
import { createHash } from 'node:crypto';
import { attribute, eachAttribute, valueLength } from '../wire/attributes.ts';
import { octet, type Packet } from '../wire/packet.ts';

export type Mark = {
  /** The value of the attribute that is added. */
  readonly octets: Buffer;
  /** Why a request must not be forwarded (again); null when it may. */
  whyNot(packet: Packet): 'proxy_loop' | 'proxy_too_many_hops' | null;
};

/** A request that came through so many proxies is going round somewhere else. */
const mostHops = 10;
const magic = Buffer.from('LMP1');
const nodeLength = 8;

/** `node`: what names this node; every worker of it has the same mark but for the last octet. */
export function createMark(node: string, worker: number): Mark {
  const ofNode = Buffer.concat([magic, createHash('sha256').update(node).digest().subarray(0, nodeLength)]);
  const length = ofNode.length + 1;

  function isOurs({ data }: Packet, at: number): boolean {
    for (let i = 0; i < ofNode.length; i++) if (data[at + 2 + i] !== ofNode[i]) return false;
    return true;
  }

  return {
    octets: Buffer.concat([ofNode, Buffer.of(worker & 0xff)]),
    whyNot(packet) {
      let hops = 0;
      let ours = false;
      eachAttribute(packet, (type, at) => {
        if (type !== attribute.proxyState) return;
        hops++;
        if (valueLength(packet, at) === length && octet(packet.data, at + 2) === magic[0]) ours ||= isOurs(packet, at);
      });
      if (ours) return 'proxy_loop';
      return hops >= mostHops ? 'proxy_too_many_hops' : null;
    },
  };
}
