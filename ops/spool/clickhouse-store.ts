// ClickHouse as the store of a spool: one insert per batch, with the batch's token, so that a repeated one changes nothing.
import { Readable } from 'node:stream';
import { ClickHouseError } from '@clickhouse/client';
import { codeOf } from '#ops/runtime/errors.ts';
import { type ClickHouseClient, clickHouseFailure } from '#ops/stores/clickhouse.ts';
import { type BatchFacts, readBody } from './batch-file.ts';
import type { BatchStore } from './drain.ts';

export function createClickHouseStore(client: ClickHouseClient): BatchStore {
  async function insert(batch: Omit<BatchFacts, 'rows' | 'oldestMs'>, body: Buffer, signal: AbortSignal) {
    const { into, token, encoding = 'gzip' } = batch;
    const { stream } = await client.exec({
      query: into,
      values: Readable.from([body]),
      ...(encoding === 'gzip' ? { http_headers: { 'Content-Encoding': encoding } } : {}),
      clickhouse_settings: { insert_deduplication_token: token },
      abort_signal: signal,
    });
    // The socket is free when the answer has been read.
    for await (const _ of stream);
  }

  return {
    insert: async (batch, signal) => insert(batch, await readBody(batch), signal),
    async takesMore({ into, token }, signal) {
      try {
        await insert({ into, token: `${token}-empty`, encoding: 'identity' }, Buffer.alloc(0), signal);
        return true;
      } catch {
        return false;
      }
    },
    isPassing: (error) => clickHouseFailure(error) === 'away',
    label: (error) => (error instanceof ClickHouseError ? (error.type ?? error.code) : codeOf(error) || 'other'),
  };
}
