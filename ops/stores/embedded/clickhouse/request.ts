// What a request asks for beside its SQL: database, format, parameters and settings, with those that concern HTTP alone left out.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { badArguments, notImplemented } from './exception.ts';

export type AnswerEncoding = 'gzip' | 'deflate' | 'br' | 'zstd';

export type QueryRequest = {
  queryId: string;
  database: string;
  /** What the client wants unless the statement says otherwise. */
  format: string | undefined;
  /** Settings, and parameters as `param_*`. */
  settings: Record<string, string>;
  encoding: AnswerEncoding | undefined;
};

/** Read here or by ClickHouse's HTTP handler; the engine does not know them or must not be told. */
const ofHttp = new Set([
  'query',
  'query_id',
  'database',
  'default_format',
  'user',
  'password',
  'quota_key',
  'role',
  'stacktrace',
  'buffer_size',
  'wait_end_of_query',
  'enable_http_compression',
  'send_progress_in_http_headers',
  'cancel_http_readonly_queries_on_client_close',
  'add_http_cors_header',
  'client_protocol_version',
  'compress',
  'decompress',
  'session_timeout',
  'session_check',
  'close_session',
]);

const NAME = /^[A-Za-z_][A-Za-z0-9_.]*$/;

export function readRequest(message: IncomingMessage, query: URLSearchParams): QueryRequest {
  const { headers } = message;
  refuseUnsupported(query);
  const settings: Record<string, string> = {};
  for (const [name, value] of query) {
    if (ofHttp.has(name) || name.startsWith('http_')) continue;
    if (!NAME.test(name)) throw badArguments(`${JSON.stringify(name)} is no name of a setting.`);
    settings[name] = value;
  }
  // What is asked by GET may be asked again by anything on the way: it changes nothing.
  if (message.method === 'GET') settings.readonly ??= '2';
  return {
    queryId: query.get('query_id') || textOf(headers['x-clickhouse-query-id']) || randomUUID(),
    database: query.get('database') || textOf(headers['x-clickhouse-database']) || 'default',
    format: query.get('default_format') || textOf(headers['x-clickhouse-format']) || undefined,
    settings,
    encoding: query.get('enable_http_compression') === '1' ? encodingOf(headers['accept-encoding']) : undefined,
  };
}

function refuseUnsupported(query: URLSearchParams): void {
  if (query.has('session_id')) {
    throw notImplemented('The embedded server keeps no sessions: send settings with each request, without session_id.');
  }
  if (query.get('compress') === '1' || query.get('decompress') === '1') {
    throw notImplemented(
      "ClickHouse's own block compression is not spoken here: use Content-Encoding and enable_http_compression.",
    );
  }
}

/** The cheapest for what they save first. */
function encodingOf(accepted: string | undefined): AnswerEncoding | undefined {
  const names = (accepted ?? '').split(',').map((part) => part.split(';')[0]?.trim().toLowerCase());
  return (['zstd', 'gzip', 'br', 'deflate'] as const).find((name) => names.includes(name));
}

function textOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}
