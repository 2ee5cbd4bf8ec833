// How a simulated access server asks for a subscriber (PAP or CHAP, RFC 2865) and what it takes from an Access-Accept.
import { randomBytes } from 'node:crypto';
import type { Speed } from '#policy/speed.ts';
import { type Attribute, chapPassword, type Decoded, mikrotikAttribute, octetsOf } from '../radius/packets.ts';
import { parseRateLimit } from '../radius/rate-limit.ts';
import type { Subscriber } from './subscriber.ts';

export type Accepted = {
  readonly speed: Speed | undefined;
  readonly framedIp: string | undefined;
  readonly classes: readonly Buffer[];
};

const classType = 25;

export function accessAttributes(subscriber: Subscriber, port: number): Attribute[] {
  const { method, mistypes } = subscriber;
  const password = mistypes ? `${subscriber.password}4` : subscriber.password;
  return [
    ['Service-Type', 'Framed-User'],
    ['Framed-Protocol', 'PPP'],
    ['NAS-Port', port],
    ['NAS-Port-Type', 'Ethernet'],
    ['User-Name', subscriber.userName],
    ['Calling-Station-Id', subscriber.mac],
    ['Called-Station-Id', 'pppoe'],
    ...(method === 'chap' ? chapAttributes(port % 256, password) : ([['User-Password', password]] as const)),
  ];
}

export function acceptedBy(reply: Decoded): Accepted {
  const address = reply.attributes['Framed-IP-Address'];
  return {
    speed: parseRateLimit(mikrotikAttribute(reply, 'Mikrotik-Rate-Limit') ?? ''),
    framedIp: typeof address === 'string' ? address : undefined,
    classes: octetsOf(reply, classType),
  };
}

function chapAttributes(identifier: number, password: string): Attribute[] {
  const challenge = randomBytes(16);
  return [
    ['CHAP-Challenge', challenge],
    ['CHAP-Password', chapPassword(identifier, password, challenge)],
  ];
}
