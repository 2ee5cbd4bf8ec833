// The settings of RadSec, part of the settings of aaa-server.
import Type from 'typebox';
import { radsecFileSettings } from '#ops/pki/radsec-settings.ts';

export const radsecSettings = {
  ...radsecFileSettings,
  RADSEC_CONNECTIONS: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 2048,
    description: 'open RadSec connections at most, those in their handshake among them',
  }),
  RADSEC_CONNECTIONS_PER_ADDRESS: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 64,
    description: 'open RadSec connections of one source address at most, shared evenly among the workers',
  }),
  RADSEC_IDLE_S: Type.Integer({
    minimum: 900,
    maximum: 86_400,
    default: 1800,
    description: 'a RadSec connection without any packet for so long is closed',
  }),
  RADSEC_RADIUS_1_1: Type.Boolean({
    default: false,
    description: 'experimental: lets a peer choose RADIUS/1.1 (RFC 9765) over TLS 1.3',
  }),
};
