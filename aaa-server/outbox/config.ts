// The settings of the outbox, part of the settings of aaa-server.
import Type from 'typebox';
import { text } from '#ops/runtime/settings.ts';

export const outboxSettings = {
  CLICKHOUSE_URL: text({
    default: '',
    secret: true,
    description:
      'ClickHouse 24.8 or newer, which keeps the history of usage; empty = it waits on disk up to OUTBOX_SPOOL_BYTES',
  }),
  OUTBOX_SPOOL_BYTES: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 20 * 2 ** 30,
    description: 'so many bytes of usage history may wait on disk for ClickHouse; beyond it they stay in Redis',
  }),
};
