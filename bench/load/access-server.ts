// What an access server and a subscriber's line say of themselves in every request.
import { attribute } from '#aaa-server/wire/attributes.ts';
import type { PacketBuilder } from '#aaa-server/wire/encode.ts';

const framed = 2;
const ppp = 1;
const ethernet = 15;

/** Every socket is an access server of its own. */
export function addAccessServer(builder: PacketBuilder, socket: number, port: number): void {
  builder.add(attribute.nasIpAddress, Buffer.of(10, 255, socket >>> 8, socket & 255));
  builder.add(attribute.nasIdentifier, accessServerName(socket));
  builder.add(attribute.nasPort, port);
  builder.add(attribute.nasPortType, ethernet);
  builder.add(attribute.serviceType, framed);
  builder.add(attribute.framedProtocol, ppp);
}

export function accessServerName(socket: number): string {
  return `bench-${socket}`;
}

export function addStation(builder: PacketBuilder, user: number): void {
  const mac = user
    .toString(16)
    .padStart(12, '0')
    .replaceAll(/(..)(?=.)/g, '$1:');
  builder.add(attribute.callingStationId, mac);
  builder.add(attribute.calledStationId, 'internet');
}

/** The IPv4 address of a subscriber, from the range that carriers share (RFC 6598): 100.64.0.0/10. */
export function subscriberAddress(user: number): number {
  return 0x64400000 + (user & 0x3fffff);
}
