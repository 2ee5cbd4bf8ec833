// The octet counters of an Accounting-Request as its access server means them: direction, unit, IPv6 apart or not (RFC 2866 §5.3, RFC 2869 §5.1).
import type { ConfiguredNas } from '#policy/nas/configured.ts';
import { addOctets, inBytes, octetsOf, type WireOctets } from '#policy/nas/octets.ts';
import type { Ipv6Counters, QueueCounters } from '#policy/nas/profile.ts';
import {
  attribute,
  eachVendorAttribute,
  firstAttribute,
  firstVendorAttribute,
  integerAt,
  integerOf,
  nextAttribute,
  valueLength,
} from '../wire/attributes.ts';
import type { Packet } from '../wire/packet.ts';

type Both = { readonly input: WireOctets; readonly output: WireOctets };

export type SessionOctets = {
  readonly upOctets: number | null;
  readonly upGigawords: number | null;
  readonly downOctets: number | null;
  readonly downGigawords: number | null;
};

/** Absent stays null: missing is not zero. */
export function octetsOfSession(packet: Packet, nas: ConfiguredNas): SessionOctets {
  const { queueCounters, ipv6Counters } = nas.profile;
  let both = standardCounters(packet);
  if (queueCounters && both.input.octets === null && both.output.octets === null) {
    both = sumOfQueues(packet, queueCounters);
  }
  if (ipv6Counters && nas.ipv6Rule === 'sum') {
    const ipv6 = vendorCounters(packet, ipv6Counters);
    both = { input: addOctets(both.input, ipv6.input), output: addOctets(both.output, ipv6.output) };
  }
  const input = inBytes(both.input, nas.octetUnit);
  const output = inBytes(both.output, nas.octetUnit);
  const [up, down] = nas.inputOctets === 'up' ? [input, output] : [output, input];
  return {
    upOctets: up.octets,
    upGigawords: up.gigawords,
    downOctets: down.octets,
    downGigawords: down.gigawords,
  };
}

function standardCounters(packet: Packet): Both {
  return {
    input: {
      octets: integerOf(packet, attribute.acctInputOctets) ?? null,
      gigawords: integerOf(packet, attribute.acctInputGigawords) ?? null,
    },
    output: {
      octets: integerOf(packet, attribute.acctOutputOctets) ?? null,
      gigawords: integerOf(packet, attribute.acctOutputGigawords) ?? null,
    },
  };
}

function vendorCounters(packet: Packet, counters: Ipv6Counters): Both {
  const read = (type: number) => {
    const at = firstVendorAttribute(packet, counters.vendor, type);
    return at < 0 ? null : (integerAt(packet, at) ?? null);
  };
  return {
    input: { octets: read(counters.inputOctets), gigawords: read(counters.inputGigawords) },
    output: { octets: read(counters.outputOctets), gigawords: read(counters.outputGigawords) },
  };
}

/** Two octets that name the queue, then its 64 bits. */
const queueValueLength = 10;

function sumOfQueues(packet: Packet, { vendor, input, output }: QueueCounters): Both {
  const sums: { input: bigint | null; output: bigint | null } = { input: null, output: null };
  for (let at = firstAttribute(packet, attribute.vendorSpecific); at >= 0; at = nextAttribute(packet, at)) {
    eachVendorAttribute(packet, at, (vendorId, type, inner) => {
      if (vendorId !== vendor || valueLength(packet, inner) !== queueValueLength) return;
      const direction = input.includes(type) ? 'input' : output.includes(type) ? 'output' : null;
      if (direction) sums[direction] = (sums[direction] ?? 0n) + packet.data.readBigUInt64BE(inner + 4);
    });
  }
  return { input: wireOctets(sums.input), output: wireOctets(sums.output) };
}

function wireOctets(sum: bigint | null): WireOctets {
  const total = sum === null ? Number.NaN : Number(sum);
  return Number.isSafeInteger(total) ? octetsOf(total) : { octets: null, gigawords: null };
}
