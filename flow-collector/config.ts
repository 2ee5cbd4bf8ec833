// The settings of flow-collector.
import Type, { type Static } from 'typebox';
import { addresses, port, text } from '#ops/runtime/settings.ts';
import { udpDrivers } from '#ops/runtime/udp.ts';

export const settings = Type.Object({
  LASTMILE_DATA_DIR: text({ default: './data', description: 'everything that lasts on this node' }),
  FEED_DATABASE_URL: text({
    secret: true,
    description: 'PostgreSQL as the read-only role lastmile_feed; `npm start` derives it from DATABASE_URL',
  }),
  REDIS_URL: text({ secret: true, description: 'Redis or Valkey 7.0 or newer, single or cluster' }),
  CLICKHOUSE_URL: text({ default: '', secret: true, description: 'ClickHouse, for flows and usage history' }),
  BIND_HOST: addresses({ default: ['127.0.0.1'], description: 'addresses of the listeners, comma-separated' }),
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
  FLOW_RECEIVE_BUFFER_BYTES: Type.Integer({
    minimum: 65_536,
    maximum: 1_073_741_824,
    default: 33_554_432,
    description: 'receive buffer of each flow socket: bursts it cannot hold are lost',
  }),
  FLOW_SPOOL_BYTES: Type.Integer({
    minimum: 0,
    maximum: 2 ** 50,
    default: 10 * 2 ** 30,
    description: 'so many bytes of flows may wait on disk while ClickHouse is away; beyond them flows are dropped',
  }),
  UDP_DRIVER: Type.Union(
    udpDrivers.map((driver) => Type.Literal(driver)),
    {
      default: 'auto',
      description:
        'how datagrams are read and written: `mmsg` many with one system call (Linux on x64 or arm64), `dgram` one by one, `auto` the first where it works',
    },
  ),
  LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
    { default: 'info', description: 'least severe level that is logged' },
  ),
});

export type Settings = Static<typeof settings>;
