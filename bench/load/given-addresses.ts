// The addresses that Accepts gave: every subscriber must have got one, and no two the same.
import { attribute, firstAttribute, octetsAt } from '#aaa-server/wire/attributes.ts';
import { decodePacket } from '#aaa-server/wire/packet.ts';

export type GivenAddresses = {
  note(accept: Buffer): 'new' | 'doubled' | 'none';
};

/** For requests of which each is another subscriber's. */
export function createGivenAddresses(): GivenAddresses {
  const given = new Set<number>();
  return {
    note(accept) {
      const packet = decodePacket(accept);
      const at = packet.ok ? firstAttribute(packet, attribute.framedIpAddress) : -1;
      if (!packet.ok || at < 0) return 'none';
      const address = octetsAt(packet, at).readUInt32BE();
      if (given.has(address)) return 'doubled';
      given.add(address);
      return 'new';
    },
  };
}
