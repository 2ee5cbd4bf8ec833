// The settings of aaa-server.

import Type, { type Static } from 'typebox';
import { eapSettings } from '#ops/runtime/eap-settings.ts';
import { addresses, list, port, text } from '#ops/runtime/settings.ts';
import { udpDrivers } from '#ops/runtime/udp.ts';
import { longestRejectDelayMs } from '#policy/access/login-patience.ts';
import { enforcementSettings } from './enforcement/config.ts';
import { loginLogSettings } from './login-log/config.ts';
import { outboxSettings } from './outbox/config.ts';
import { proxySettings } from './proxy/config.ts';
import { radsecSettings } from './radsec/config.ts';

export const settings = Type.Object({
  LASTMILE_DATA_DIR: text({ default: './data', description: 'everything that lasts on this node' }),
  LASTMILE_SECRET_KEY: list({
    secret: true,
    description:
      'master secrets, comma-separated: the first encrypts, all decrypt; `npm start` generates one into the data folder',
  }),
  FEED_DATABASE_URL: text({
    secret: true,
    description: 'PostgreSQL as the read-only role lastmile_feed; `npm start` derives it from DATABASE_URL',
  }),
  REDIS_URL: text({ secret: true, description: 'Redis or Valkey 7.0 or newer, single or cluster' }),
  BIND_HOST: addresses({ default: ['127.0.0.1'], description: 'addresses of the listeners, comma-separated' }),
  RADIUS_AUTH_PORT: port({ default: 1812, description: 'UDP port of Access-Requests' }),
  RADIUS_ACCT_PORT: port({ default: 1813, description: 'UDP port of Accounting-Requests' }),
  ...radsecSettings,
  AAA_ADMIN_PORT: port({
    default: 9101,
    description: '/metrics, /healthz, /readyz and the admin calls of control-api',
  }),
  AAA_WORKERS: Type.Integer({
    minimum: 0,
    maximum: 64,
    default: 0,
    description: 'RADIUS worker threads; 0 = number of cores, at most 4',
  }),
  UDP_DRIVER: Type.Union(
    udpDrivers.map((driver) => Type.Literal(driver)),
    {
      default: 'auto',
      description:
        'how datagrams are read and written: `mmsg` many with one system call (Linux on x64 or arm64), `dgram` one by one, `auto` the first where it works',
    },
  ),
  COA_SOURCE: text({ default: '', description: 'source address of CoA and Disconnect requests; empty = by route' }),
  ...enforcementSettings,
  ...outboxSettings,
  ...proxySettings,
  ...loginLogSettings,
  RADIUS_LEARN_WINDOW_S: Type.Integer({
    minimum: 0,
    maximum: 2_592_000,
    default: 86_400,
    description:
      'for how long after an access server was added or adopted a login without Message-Authenticator may teach that it sends none',
  }),
  RADIUS_DICTIONARY: text({
    default: '',
    description: 'path of a dictionary file of your own, in the format of FreeRADIUS; it adds to the built-in ones',
  }),
  REJECT_DELAY_MS: Type.Integer({
    minimum: 0,
    maximum: longestRejectDelayMs,
    default: 1000,
    description: 'how long an Access-Reject waits, to slow down guessing',
  }),
  LOGIN_LEDGER_MS: Type.Integer({
    minimum: 5,
    maximum: 2000,
    default: 100,
    description:
      'a login that needs an address or a count of sessions waits so long for Redis, then it goes on without',
  }),
  ...eapSettings,
  FEED_SILENCE_S: Type.Integer({
    minimum: 60,
    maximum: 86400,
    default: 900,
    description: 'after this long without the change feed, expiries since then get the extra grace',
  }),
  FEED_SILENCE_GRACE_S: Type.Integer({
    minimum: 0,
    maximum: 604800,
    default: 86400,
    description: 'the extra grace of expiries while the change feed is silent',
  }),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
    { default: 'info', description: 'least severe level that is logged' },
  ),
});

export type Settings = Static<typeof settings>;
