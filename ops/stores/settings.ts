// The settings that say where the stores are and how this node keeps what lasts.
import Type from 'typebox';
import { list, port, text } from '#ops/runtime/settings.ts';

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
  LASTMILE_NO_INSTALL: Type.Boolean({
    default: false,
    description: 'true refuses to install a missing redis-server by apt-get',
  }),
};
