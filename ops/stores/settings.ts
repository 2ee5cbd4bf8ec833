// The settings that say where the stores are and how this node keeps what lasts.
import Type from 'typebox';
import { list, port, type SettingOptions, text } from '#ops/runtime/settings.ts';

const days = (options: SettingOptions) => Type.Integer({ minimum: 0, maximum: 36_500, ...options });

export const storeSettings = {
  LASTMILE_DATA_DIR: text({ default: './data', description: 'everything that lasts on this node' }),
  LASTMILE_SECRET_KEY: Type.Optional(
    list({
      secret: true,
      description:
        'master secrets, comma-separated: the first encrypts, all decrypt; generated into the data folder when PostgreSQL is embedded, required otherwise',
    }),
  ),
  DATABASE_URL: text({
    default: '',
    secret: true,
    description: 'PostgreSQL 15 or newer as the owner of the database: runs the migrations; empty = embedded',
  }),
  REDIS_URL: text({
    default: '',
    secret: true,
    description: 'Redis or Valkey 7.0 or newer, single or cluster; empty = embedded',
  }),
  CLICKHOUSE_URL: text({
    default: '',
    secret: true,
    description:
      'ClickHouse 24.8 or newer over HTTP, with user, password and database: `http://user:password@host:8123/lastmile`; empty = embedded',
  }),
  APP_DATABASE_URL: text({
    default: '',
    secret: true,
    description: 'PostgreSQL as role lastmile_app; empty = derived from DATABASE_URL',
  }),
  FEED_DATABASE_URL: text({
    default: '',
    secret: true,
    description: 'PostgreSQL as role lastmile_feed; empty = derived from DATABASE_URL',
  }),
  EMBEDDED_POSTGRES_PORT: Type.Optional(
    port({ description: 'port of the embedded PostgreSQL; empty = a free one, recorded in the data folder' }),
  ),
  EMBEDDED_REDIS_PORT: Type.Optional(
    port({ description: 'port of the embedded Redis; empty = a free one, recorded in the data folder' }),
  ),
  EMBEDDED_CLICKHOUSE_PORT: Type.Optional(
    port({ description: 'port of the embedded ClickHouse; empty = a free one, recorded in the data folder' }),
  ),
  EMBEDDED_CLICKHOUSE_MEMORY_MB: Type.Integer({
    minimum: 0,
    default: 0,
    description: "memory that the embedded ClickHouse may use; 0 = a quarter of the machine's, from 1024 to 8192",
  }),
  CLICKHOUSE_CLUSTER: text({
    default: '',
    description:
      'name of the ClickHouse cluster: replicated tables on every shard, made ON CLUSTER; empty = one server',
  }),
  CLICKHOUSE_ACCOUNTING_TTL_DAYS: days({ default: 0, description: 'days accounting records are kept; 0 = for ever' }),
  CLICKHOUSE_FLOWS_TTL_DAYS: days({ default: 30, description: 'days flows are kept; 0 = for ever' }),
  CLICKHOUSE_FLOWS_1M_TTL_DAYS: days({ default: 30, description: 'days sums by minute are kept; 0 = for ever' }),
  CLICKHOUSE_FLOWS_1H_TTL_DAYS: days({ default: 400, description: 'days sums by hour are kept; 0 = for ever' }),
  CLICKHOUSE_FLOWS_1D_TTL_DAYS: days({ default: 0, description: 'days sums by day are kept; 0 = for ever' }),
  CLICKHOUSE_LOGINS_TTL_DAYS: days({ default: 30, description: 'days the auth log is kept; 0 = for ever' }),
  LASTMILE_NO_INSTALL: Type.Boolean({
    default: false,
    description: 'true refuses to install a missing redis-server by apt-get',
  }),
};
