// The settings of `npm start` itself; each process reads its own from the same environment.
import Type, { type Static } from 'typebox';
import { eapSettings } from '#ops/runtime/eap-settings.ts';
import { addresses, port, text } from '#ops/runtime/settings.ts';
import { radsecFileSettings } from '../pki/radsec-settings.ts';
import { storeSettings } from '../stores/settings.ts';

export const settings = Type.Object({
  ...storeSettings,
  BIND_HOST: addresses({ default: ['127.0.0.1'], description: 'addresses of the listeners, comma-separated' }),
  HTTP_PORT: port({ default: 8080, description: 'API and web UI' }),
  RADIUS_AUTH_PORT: port({ default: 1812, description: 'UDP port of Access-Requests' }),
  RADIUS_ACCT_PORT: port({ default: 1813, description: 'UDP port of Accounting-Requests' }),
  ...radsecFileSettings,
  AAA_ADMIN_PORT: port({ default: 9101, description: '/metrics, /healthz, /readyz of aaa-server' }),
  AAA_WORKERS: Type.Integer({
    minimum: 0,
    maximum: 64,
    default: 0,
    description: 'RADIUS worker threads; 0 = number of cores, at most 4',
  }),
  ...eapSettings,
  NETFLOW_PORT: port({
    default: 2055,
    description: 'UDP port of flows: NetFlow 5 and 9 are told apart by their version',
  }),
  FLOW_ADMIN_PORT: port({ default: 9102, description: '/metrics, /healthz, /readyz of flow-collector' }),
  FLOW_WORKERS: Type.Integer({
    minimum: 0,
    maximum: 64,
    default: 0,
    description: 'threads that receive flows; 0 = number of cores, at most 4',
  }),
  ADMIN_EMAIL: text({ default: 'admin@example.com', description: 'first super admin, only when none exists' }),
  ADMIN_PASSWORD: text({
    default: '',
    secret: true,
    description: 'password of the first super admin; generated and printed when empty',
  }),
});

export type Settings = Static<typeof settings>;
