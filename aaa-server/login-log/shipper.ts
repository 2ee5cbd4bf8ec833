// Brings the workers' auth log into ClickHouse. While that is away rows wait in bounded memory; what is more is dropped and counted.
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { ClickHouseError } from '@clickhouse/client';
import { createBreaker } from '#ops/lanes/breaker.ts';
import { messageOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Registry } from '#ops/runtime/metrics.ts';
import { type ClickHouseClient, clickHouseFailure } from '#ops/stores/clickhouse.ts';
import type { LoginBatch } from './log.ts';
import { createLoginLogMetrics, type loginLogDrops } from './metrics.ts';
import { insertLogins } from './row.ts';

export type LoginShipper = Part & { take(batch: LoginBatch): void };

export type LoginShipperOptions = {
  readonly clickhouse: Pick<ClickHouseClient, 'exec'>;
  readonly registry: Registry;
  readonly log: Logger;
  readonly limitBytes?: number;
};

/** One insert; tried again it is the same by its token. */
type Insert = { readonly token: string; readonly body: Buffer; readonly rows: number; attempts: number };

/** About 200 000 logins. */
const usualLimitBytes = 32 * 1024 * 1024;
const mostOfInsertBytes = 4 * 1024 * 1024;
const attemptsBeforeDrop = 3;
/** UNKNOWN_TABLE, UNKNOWN_DATABASE: the migrations are on their way. */
const unfinished = new Set(['60', '81']);
const lastTryMs = 2000;

export function createLoginShipper(options: LoginShipperOptions): LoginShipper {
  const { clickhouse, registry, log, limitBytes = usualLimitBytes } = options;
  const waiting: LoginBatch[] = [];
  const breaker = createBreaker();
  const ending = new AbortController();
  let bytes = 0;
  let current: Insert | undefined;
  let running: Promise<void> | undefined;
  let stopping = false;
  let told = false;
  let full = false;
  let wake = () => {};
  const metrics = createLoginLogMetrics(
    registry,
    () => waiting.reduce((sum, { rows }) => sum + rows, 0) + (current?.rows ?? 0),
  );

  const drop = (reason: (typeof loginLogDrops)[number], rows: number) => metrics.dropped.inc({ reason }, rows);

  function next(): Insert | undefined {
    if (current) return current;
    const bodies: Uint8Array[] = [];
    let [rows, size] = [0, 0];
    while (waiting.length > 0 && size < mostOfInsertBytes) {
      const batch = waiting.shift() as LoginBatch;
      bodies.push(batch.body);
      rows += batch.rows;
      size += batch.body.length;
    }
    current = rows === 0 ? undefined : { token: randomUUID(), body: Buffer.concat(bodies), rows, attempts: 0 };
    return current;
  }

  function done({ body }: Insert): void {
    bytes -= body.length;
    current = undefined;
  }

  async function insert(batch: Insert, signal: AbortSignal): Promise<void> {
    const { stream } = await clickhouse.exec({
      query: insertLogins,
      values: Readable.from([batch.body]),
      clickhouse_settings: { insert_deduplication_token: batch.token },
      abort_signal: signal,
    });
    // The socket is free when the answer has been read.
    for await (const _ of stream);
    metrics.written.inc(batch.rows);
    done(batch);
  }

  /** @returns after how long to try again */
  function failed(batch: Insert, error: unknown): number {
    if (!told) log.warn({ reason: messageOf(error) }, 'the auth log is not written, its rows wait in memory');
    told = true;
    const passes =
      clickHouseFailure(error) === 'away' || (error instanceof ClickHouseError && unfinished.has(error.code));
    if (!passes && ++batch.attempts >= attemptsBeforeDrop) {
      drop('refused', batch.rows);
      done(batch);
    }
    return breaker.failed();
  }

  async function run(): Promise<void> {
    while (!stopping) {
      const batch = next();
      if (!batch) {
        await rest();
        continue;
      }
      try {
        await insert(batch, ending.signal);
        breaker.succeeded();
        if (told) log.info('the auth log is written again');
        told = false;
      } catch (error) {
        if (!stopping) await rest(failed(batch, error));
      }
    }
  }

  function rest(ms?: number): Promise<void> {
    if (stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      wake = () => {
        // A pause after a failure lasts, whatever comes meanwhile.
        if (timer && !stopping) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** What can still be written is; of the rest it is told how much it was. */
  async function lastTry(): Promise<void> {
    const signal = AbortSignal.timeout(lastTryMs);
    try {
      for (let batch = next(); batch; batch = next()) await insert(batch, signal);
    } catch (error) {
      const rows = (current?.rows ?? 0) + waiting.reduce((sum, batch) => sum + batch.rows, 0);
      drop('stopped', rows);
      log.warn({ rows, reason: messageOf(error) }, 'rows of the auth log are lost with the stop');
    }
  }

  return {
    name: 'auth log',
    take(batch) {
      metrics.leftOut.inc({ result: 'accept' }, batch.acceptsLeftOut);
      metrics.leftOut.inc({ result: 'reject' }, batch.rejectsLeftOut);
      if (batch.rows === 0) return;
      if (bytes + batch.body.length > limitBytes) {
        drop('memory_full', batch.rows);
        if (!full)
          log.error({ bytes, limitBytes }, 'the auth log fills its memory: rows are dropped until ClickHouse is back');
        full = true;
        return;
      }
      full = false;
      bytes += batch.body.length;
      waiting.push(batch);
      wake();
    },
    async start() {
      running ??= run();
    },
    async stop() {
      if (stopping) return;
      stopping = true;
      ending.abort();
      wake();
      await running;
      await lastTry();
    },
  };
}
