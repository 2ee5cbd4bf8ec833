// The settings of control-api.
import Type, { type Static } from 'typebox';
import { addresses, list, port, text } from '#ops/runtime/settings.ts';

export const settings = Type.Object({
  BIND_HOST: addresses({ default: ['127.0.0.1'], description: 'addresses of the listeners, comma-separated' }),
  HTTP_PORT: port({ default: 8080, description: 'API and web UI' }),
  AAA_ADMIN_PORT: port({
    default: 9101,
    description: '/metrics, /healthz, /readyz and the admin calls of control-api',
  }),
  RADIUS_AUTH_PORT: port({ default: 1812, description: 'UDP port of Access-Requests' }),
  RADIUS_ACCT_PORT: port({ default: 1813, description: 'UDP port of Accounting-Requests' }),
  FLOW_ADMIN_PORT: port({ default: 9102, description: '/metrics, /healthz, /readyz of flow-collector' }),
  APP_DATABASE_URL: text({
    secret: true,
    description: 'PostgreSQL as role lastmile_app; `npm start` derives it from DATABASE_URL',
  }),
  REDIS_URL: text({ secret: true, description: 'Redis or Valkey 7.0 or newer, single or cluster' }),
  CLICKHOUSE_URL: text({
    default: '',
    secret: true,
    description: 'ClickHouse 24.8 or newer, which keeps the history of usage; empty = there is none to ask',
  }),
  LASTMILE_SECRET_KEY: list({
    secret: true,
    description:
      'master secrets, comma-separated: the first encrypts, all decrypt; `npm start` generates one into the data folder',
  }),
  ADMIN_EMAIL: text({ default: 'admin@example.com', description: 'first super admin, only when none exists' }),
  ADMIN_PASSWORD: text({
    default: '',
    description: 'password of the first super admin; generated when empty',
    secret: true,
  }),
  TRUST_PROXY: list({ default: [], description: 'addresses or prefixes of proxies whose X-Forwarded-For counts' }),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
    { default: 'info', description: 'least severe level that is logged' },
  ),
});
export type Settings = Static<typeof settings>;
