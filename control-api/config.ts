// The settings of control-api.
import Type, { type Static } from 'typebox';
import { addresses, list, port, text } from '#ops/runtime/settings.ts';

export const settings = Type.Object({
  BIND_HOST: addresses({ default: ['127.0.0.1'], description: 'addresses of every listener' }),
  HTTP_PORT: port({ default: 8080, description: 'API and web UI' }),
  AAA_ADMIN_PORT: port({ default: 9101, description: 'admin port of aaa-server' }),
  LASTMILE_DATA_DIR: text({ default: './data', description: 'everything that lasts on this node' }),
  APP_DATABASE_URL: text({
    description: 'PostgreSQL as role lastmile_app; npm start derives it from DATABASE_URL',
    secret: true,
  }),
  REDIS_URL: text({ description: 'Redis of the ledger; npm start gives the embedded one when empty', secret: true }),
  LASTMILE_SECRET_KEY: list({
    description: 'master secrets: the first encrypts, all decrypt',
    secret: true,
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
    { default: 'info', description: 'logging' },
  ),
});
export type Settings = Static<typeof settings>;
