// What the server must know of output formats: their content type, and which can be sent in pieces.
import { hasHeader } from './header.ts';

/** Formats whose chunks, each written as a document of its own, make one document when joined. */
const joinable = new Set([
  'JSONEachRow',
  'JSONLines',
  'NDJSON',
  'JSONStringsEachRow',
  'JSONCompactEachRow',
  'JSONCompactStringsEachRow',
  'CSV',
  'TabSeparated',
  'TSV',
  'TabSeparatedRaw',
  'TSVRaw',
  'LineAsString',
  'RowBinary',
  'Native',
]);

/** What puts something before the first row or after the last one, also in the formats above. */
const notByRow = /\b(totals|extremes)\b|json_array_of_rows/i;

export function isStreamed(format: string, sql: string, settings: Readonly<Record<string, string>>): boolean {
  const pieces = joinable.has(format) || hasHeader(format);
  return pieces && !notByRow.test(sql) && !notByRow.test(Object.keys(settings).join(' '));
}

export function contentTypeOf(format: string): string {
  if (/EachRow|JSONLines|NDJSON/.test(format)) return 'application/x-ndjson; charset=UTF-8';
  if (format.startsWith('JSON')) return 'application/json; charset=UTF-8';
  if (format.startsWith('CSV')) return `text/csv; charset=UTF-8; header=${hasHeader(format) ? 'present' : 'absent'}`;
  if (/^(TabSeparated|TSV)/.test(format)) return 'text/tab-separated-values; charset=UTF-8';
  if (/^(Native|RowBinary|Parquet|Arrow|ORC|Avro|MsgPack|Protobuf)/.test(format)) return 'application/octet-stream';
  return 'text/plain; charset=UTF-8';
}
