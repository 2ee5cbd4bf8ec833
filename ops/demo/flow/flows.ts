// Cuts the traffic of a session into the flows a router sees: conversations with a few servers, both directions, no byte more or less.

import type { ByteCount } from '../isp/subscriber.ts';
import { type Random, wholeBetween } from '../random.ts';
import type { DataRecord, Template } from './netflow9.ts';

/** A conversation that goes on over several exports. */
export type Conversation = {
  readonly server: Uint8Array;
  readonly serverAs: number;
  readonly serverPort: number;
  readonly clientPort: number;
  readonly protocol: number;
};

const tcp = 6;
const udp = 17;
const ackPush = 0x18;
const fullPacket = 1400;
const mostPackets = 0xffff_ffff;

/** Networks of documentation (RFC 5737) stand for the Internet, with AS numbers of documentation (RFC 5398). */
const networks = [
  { prefix: [192, 0, 2], as: 64_496 },
  { prefix: [198, 51, 100], as: 64_500 },
  { prefix: [203, 0, 113], as: 64_510 },
] as const;

/** RFC 3954 §8; counters of eight octets, as a second of the demo may be minutes of traffic. */
export const template: Template = {
  id: 256,
  fields: [
    { type: 8, length: 4 }, // IPV4_SRC_ADDR
    { type: 12, length: 4 }, // IPV4_DST_ADDR
    { type: 7, length: 2 }, // L4_SRC_PORT
    { type: 11, length: 2 }, // L4_DST_PORT
    { type: 4, length: 1 }, // PROTOCOL
    { type: 6, length: 1 }, // TCP_FLAGS
    { type: 5, length: 1 }, // SRC_TOS
    { type: 61, length: 1 }, // DIRECTION: 0 = ingress
    { type: 10, length: 4 }, // INPUT_SNMP
    { type: 14, length: 4 }, // OUTPUT_SNMP
    { type: 16, length: 4 }, // SRC_AS
    { type: 17, length: 4 }, // DST_AS
    { type: 1, length: 8 }, // IN_BYTES
    { type: 2, length: 4 }, // IN_PKTS
    { type: 22, length: 4 }, // FIRST_SWITCHED
    { type: 21, length: 4 }, // LAST_SWITCHED
  ],
};
export const mostRecords = 26;
const accessInterface = 2;
const uplinkInterface = 1;

export function newConversation(random: Random): Conversation {
  const { prefix, as } = networks[wholeBetween(random, 0, networks.length)] ?? networks[0];
  return {
    server: Uint8Array.from([...prefix, wholeBetween(random, 1, 255)]),
    serverAs: as,
    serverPort: random() < 0.85 ? 443 : 80,
    clientPort: wholeBetween(random, 32_768, 61_000),
    protocol: random() < 0.6 ? tcp : udp,
  };
}

/** The records of `bytes` between `fromMs` and `toMs` of the exporter's uptime, over the conversations; every byte in exactly one. */
export function flowsOf(
  subscriber: Uint8Array,
  bytes: ByteCount,
  conversations: readonly [Conversation, ...Conversation[]],
  fromMs: number,
  toMs: number,
): { record: DataRecord; bytes: ByteCount }[] {
  return conversations.flatMap((conversation, place) => {
    const { server, serverAs, serverPort, clientPort, protocol } = conversation;
    const flags = protocol === tcp ? ackPush : 0;
    const up = share(bytes.up, place, conversations.length);
    const down = share(bytes.down, place, conversations.length);
    const common = [protocol, flags, 0, 0] as const;
    const upward = [
      subscriber,
      server,
      clientPort,
      serverPort,
      ...common,
      accessInterface,
      uplinkInterface,
      0,
      serverAs,
    ];
    const downward = [
      server,
      subscriber,
      serverPort,
      clientPort,
      ...common,
      uplinkInterface,
      accessInterface,
      serverAs,
      0,
    ];
    return [
      ...(up > 0 ? [{ record: [...upward, up, packets(up), fromMs, toMs], bytes: { up, down: 0 } }] : []),
      ...(down > 0 ? [{ record: [...downward, down, packets(down), fromMs, toMs], bytes: { up: 0, down } }] : []),
    ];
  });
}

/** The first takes the half, the others what is left in equal parts, the last of them also the remainder. */
function share(total: number, place: number, count: number): number {
  if (count === 1) return total;
  const rest = Math.floor(total / 2);
  if (place === 0) return total - rest;
  const part = Math.floor(rest / (count - 1));
  return place === count - 1 ? rest - part * (count - 2) : part;
}

function packets(bytes: number): number {
  return Math.min(mostPackets, Math.ceil(bytes / fullPacket));
}
