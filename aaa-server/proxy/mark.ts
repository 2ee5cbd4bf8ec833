// Our Proxy-State (RFC 2865 §5.33): says that a request went through this node for a tenant, so that one that comes back is known.
import { createHash } from 'node:crypto';
import { attribute, eachAttribute, valueLength } from '../wire/attributes.ts';
import { octet, type Packet } from '../wire/packet.ts';

export type Mark = {
  /** The value of the attribute that is added to what is forwarded for a tenant: another tenant of this node may be where it is to arrive. */
  of(tenantId: number): Buffer;
  /** Why a request must not be forwarded (again) for that tenant; null when it may. */
  whyNot(packet: Packet, tenantId: number): 'proxy_loop' | 'proxy_too_many_hops' | null;
};

/** A request that came through so many proxies is going round somewhere else. */
const mostHops = 10;
const magic = Buffer.from('LMP1');
const placeLength = 8;

/** `node`: what names this node; every worker of it has the same marks but for the last octet. */
export function createMark(node: string, worker: number): Mark {
  /** As many as there are tenants that forward. */
  const marks = new Map<number, Buffer>();
  const length = magic.length + placeLength + 1;

  function of(tenantId: number): Buffer {
    const known = marks.get(tenantId);
    if (known) return known;
    const place = createHash('sha256').update(`${node} ${tenantId}`).digest().subarray(0, placeLength);
    const made = Buffer.concat([magic, place, Buffer.of(worker & 0xff)]);
    marks.set(tenantId, made);
    return made;
  }

  function isOurs({ data }: Packet, at: number, mark: Buffer): boolean {
    for (let i = 0; i < length - 1; i++) if (data[at + 2 + i] !== mark[i]) return false;
    return true;
  }

  return {
    of,
    whyNot(packet, tenantId) {
      const mark = of(tenantId);
      let hops = 0;
      let ours = false;
      eachAttribute(packet, (type, at) => {
        if (type !== attribute.proxyState) return;
        hops++;
        if (valueLength(packet, at) === length && octet(packet.data, at + 2) === magic[0])
          ours ||= isOurs(packet, at, mark);
      });
      if (ours) return 'proxy_loop';
      return hops >= mostHops ? 'proxy_too_many_hops' : null;
    },
  };
}
