// ClickHouse's HTTP interface over the embedded engine, as @clickhouse/client and curl speak it.
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import path from 'node:path';
import { type Credentials, checkAccess } from './access.ts';
import { createAnswer, refuseWith } from './answer.ts';
import { type Body, type BodyLimits, readForm, receiveBody } from './body.ts';
import type { Engine } from './engine.ts';
import { ClickHouseException, refusalOf } from './exception.ts';
import { isStreamed } from './formats.ts';
import { headerOnce } from './header.ts';
import { LanesFull } from './lanes.ts';
import { type QueryRequest, readRequest } from './request.ts';
import { readStatement, type Statement } from './statement.ts';

export type ClickHouseServerOptions = {
  engine: Engine;
  credentials: Credentials;
  /** Rows of inserts lie here until they are read; emptied first. */
  spoolFolder: string;
  limits?: BodyLimits;
};

/** A statement as long as ClickHouse's own max_query_size, which is read on the thread that answers everybody; a gigabyte of rows. */
export const defaultLimits: BodyLimits = { headBytes: 256 * 1024, bodyBytes: 1024 * 1024 * 1024 };

export function createClickHouseServer(options: ClickHouseServerOptions): Server {
  const { engine, credentials, spoolFolder, limits = defaultLimits } = options;
  rmSync(spoolFolder, { recursive: true, force: true });
  mkdirSync(spoolFolder, { recursive: true, mode: 0o700 });
  // Our comment, and that rows come from a file of ours.
  const hide =
    /\n?\/\* lastmile:[0-9a-f-]+ \*\/|: \(in file\/uri \S*\/spool\/[0-9a-f-]+\)|: data for INSERT was parsed from file/g;
  const refusal = (error: unknown) => refusalOf(understood(error), engine.version, hide);

  async function answerQuery(message: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    checkAccess(message.headers, url.searchParams, credentials);
    const { request, body } = await readAll(message, url.searchParams);
    const statement = readStatement(body.head.toString('latin1'));
    const signal = closedSignal(response);
    switch (statement.kind) {
      case 'refused':
        throw new ClickHouseException(
          statement.code,
          errorNames[statement.code] ?? 'UNKNOWN_EXCEPTION',
          statement.reason,
        );
      case 'insert':
        return insert(response, request, statement, body, signal);
      case 'select':
      case 'kill':
      case 'other':
        if (!body.complete)
          throw new ClickHouseException(
            291,
            'QUERY_IS_TOO_LARGE',
            `The query is longer than ${limits.headBytes} bytes.`,
          );
        return run(response, request, statement, signal);
      default:
        statement satisfies never;
    }
  }

  async function readAll(
    message: IncomingMessage,
    query: URLSearchParams,
  ): Promise<{ request: QueryRequest; body: Body }> {
    const contentType = message.headers['content-type'] ?? '';
    const lead = (params: URLSearchParams) => Buffer.from(params.has('query') ? `${params.get('query')}\n` : '');
    if (!/^multipart\/form-data/i.test(contentType)) {
      return { request: readRequest(message, query), body: await receiveBody(message, lead(query), limits) };
    }
    const form = await readForm(
      await receiveBody(message, Buffer.alloc(0), { ...limits, headBytes: 64 * limits.headBytes }),
      contentType,
    );
    const all = new URLSearchParams([...query, ...form]);
    return { request: readRequest(message, all), body: { head: lead(all), complete: true, spool: async () => 0 } };
  }

  async function insert(
    response: ServerResponse,
    request: QueryRequest,
    statement: Extract<Statement, { kind: 'insert' }>,
    body: Body,
    signal: AbortSignal,
  ): Promise<void> {
    const from = performance.now();
    const file = path.join(spoolFolder, randomUUID());
    try {
      const bytes = await body.spool(statement.dataAt, file);
      const answer = createAnswer(response, request, request.format ?? 'TabSeparated');
      if (bytes === 0) return answer.end({ readRows: 0, readBytes: 0, writtenRows: 0, elapsedMs: 0 });
      const text = (part: string) => Buffer.from(part, 'latin1').toString('utf8');
      const sql = `${text(statement.head)} FROM INFILE '${file}' ${text(statement.settings)} FORMAT ${statement.format}`;
      const { rows } = await engine.insert({ sql, request, signal });
      answer.end({ readRows: rows, readBytes: bytes, writtenRows: rows, elapsedMs: performance.now() - from });
    } finally {
      await rm(file, { force: true });
    }
  }

  async function run(
    response: ServerResponse,
    request: QueryRequest,
    statement: Extract<Statement, { kind: 'select' | 'kill' | 'other' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const from = performance.now();
    const sql = Buffer.from(statement.sql, 'latin1').toString('utf8');
    const format = statement.format ?? request.format ?? 'TabSeparated';
    const streamed = statement.kind === 'select' && isStreamed(format, sql, request.settings);
    const answer = createAnswer(response, request, format);
    const whole: Uint8Array[] = [];
    const once = headerOnce(format);
    const emit = streamed
      ? (bytes: Uint8Array) => answer.write(once(bytes))
      : async (bytes: Uint8Array) => whole.push(bytes) > 0;
    try {
      const { rows, bytes } = await engine.query({
        sql,
        format,
        streamed,
        kind: statement.kind,
        request,
        signal,
        emit,
      });
      const summary = { readRows: rows, readBytes: bytes, writtenRows: 0, elapsedMs: performance.now() - from };
      answer.end(summary, whole);
    } catch (error) {
      answer.refuse(refusal(error));
    }
  }

  function respond(message: IncomingMessage, response: ServerResponse): void {
    const url = new URL(message.url ?? '/', 'http://localhost');
    const asks = message.method === 'POST' || (message.method === 'GET' && url.searchParams.has('query'));
    if (url.pathname !== '/' || !asks) {
      const alive = url.pathname === '/ping' || url.pathname === '/replicas_status' || url.pathname === '/';
      const [status, text] = alive ? [200, 'Ok.\n'] : [404, `There is no handle ${url.pathname}\n`];
      response.writeHead(status, { 'Content-Type': 'text/html; charset=UTF-8' }).end(text);
      return;
    }
    answerQuery(message, response, url).catch((error: unknown) => {
      if (response.destroyed) return;
      if (!message.complete) discardRest(message, response);
      refuseWith(response, refusal(error), url.searchParams.get('query_id') ?? randomUUID());
    });
  }

  return createServer({ keepAliveTimeout: 10_000, requestTimeout: 0, maxHeaderSize: 1024 * 1024 }, respond);
}

const errorNames: Readonly<Record<number, string>> = { 62: 'SYNTAX_ERROR', 48: 'NOT_IMPLEMENTED' };

function understood(error: unknown): unknown {
  if (!(error instanceof LanesFull)) return error;
  return new ClickHouseException(
    202,
    'TOO_MANY_SIMULTANEOUS_QUERIES',
    `Too many simultaneous queries: ${error.message}.`,
  );
}

/** Aborts when the client goes away before it has its answer. */
function closedSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new Error('the client is gone'));
  });
  return gone.signal;
}

/** A client that still sends hears the refusal only when its bytes are taken; not for ever. */
function discardRest(message: IncomingMessage, response: ServerResponse): void {
  response.setHeader('Connection', 'close');
  message.resume();
  setTimeout(() => message.socket.destroy(), 5000).unref();
}
