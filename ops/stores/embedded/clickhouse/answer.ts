// An answer on its way to the client: headers first when there is something to send, compressed if asked, at the client's pace.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Transform } from 'node:stream';
import { constants, createBrotliCompress, createDeflate, createGzip, createZstdCompress } from 'node:zlib';
import type { Refusal } from './exception.ts';
import { contentTypeOf } from './formats.ts';
import type { AnswerEncoding, QueryRequest } from './request.ts';

export type Summary = { readRows: number; readBytes: number; writtenRows: number; elapsedMs: number };

export type Answer = {
  /** Sends bytes when the client takes them; false when it is gone. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** `whole` is the answer when nothing was written. */
  end(summary: Summary, whole?: readonly Uint8Array[]): void;
  /** As a whole answer when nothing was sent, else behind what was sent, in a way that clients recognise. */
  refuse(refusal: Refusal): void;
};

/** At their fastest: answers are made while they are sent. */
const compressors: Readonly<Record<AnswerEncoding, () => Transform>> = {
  gzip: () => createGzip({ level: 1 }),
  deflate: () => createDeflate({ level: 1 }),
  br: () => createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
  zstd: () => createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
};

export function createAnswer(response: ServerResponse, request: QueryRequest, format: string): Answer {
  const tag = randomBytes(8).toString('hex');
  let compressor: Transform | undefined;
  let finish: () => void = () => response.end();
  const gone = () => response.closed || response.destroyed;

  function begin(summary: Summary | undefined): void {
    if (response.headersSent) return;
    response.writeHead(200, {
      ...commonHeaders(request.queryId),
      'Content-Type': contentTypeOf(format),
      'X-ClickHouse-Format': format,
      'X-ClickHouse-Timezone': 'UTC',
      'X-ClickHouse-Summary': summaryText(summary),
      'X-ClickHouse-Exception-Tag': tag,
      ...(request.encoding ? { 'Content-Encoding': request.encoding, Vary: 'Accept-Encoding' } : {}),
    });
    if (!request.encoding) return;
    compressor = compressors[request.encoding]();
    compressor.once('end', () => finish()).pipe(response, { end: false });
  }

  return {
    async write(bytes) {
      if (gone()) return false;
      begin(undefined);
      const sink = compressor ?? response;
      if (!sink.write(bytes)) await Promise.race([once(sink, 'drain'), once(response, 'close')]);
      return !gone();
    },
    end(summary, whole = []) {
      if (gone()) return;
      begin(summary);
      const sink = compressor ?? response;
      for (const bytes of whole) sink.write(bytes);
      sink.end();
    },
    refuse(refusal) {
      if (!response.headersSent) return refuseWith(response, refusal, request.queryId);
      const length = Buffer.byteLength(refusal.text);
      const block = `\r\n__exception__\r\n${tag}\r\n${refusal.text}${length} ${tag}\r\n__exception__\r\n`;
      // The connection breaks behind it, so that nobody takes half an answer for a whole one.
      const cut = () => response.write('', () => response.destroy());
      finish = cut;
      if (compressor) compressor.end(block);
      else response.write(block, cut);
    },
  };
}

export function refuseWith(response: ServerResponse, refusal: Refusal, queryId: string): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(refusal.status, {
    ...commonHeaders(queryId),
    'Content-Type': 'text/plain; charset=UTF-8',
    'X-ClickHouse-Exception-Code': String(refusal.code),
    ...(refusal.status === 401 ? { 'WWW-Authenticate': 'Basic realm="ClickHouse server HTTP API"' } : {}),
  });
  response.end(refusal.text);
}

function commonHeaders(queryId: string): Record<string, string> {
  // A name from outside must not break the header.
  return {
    'X-ClickHouse-Query-Id': queryId.replaceAll(/[^\x20-\x7e]/g, '?'),
    'X-ClickHouse-Server-Display-Name': 'lastmile',
  };
}

function summaryText(summary: Summary | undefined): string {
  const { readRows = 0, readBytes = 0, writtenRows = 0, elapsedMs = 0 } = summary ?? {};
  const numbers = {
    read_rows: readRows,
    read_bytes: readBytes,
    written_rows: writtenRows,
    written_bytes: 0,
    total_rows_to_read: 0,
    result_rows: 0,
    result_bytes: 0,
    elapsed_ns: Math.round(elapsedMs * 1e6),
  };
  return JSON.stringify(Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, String(value)])));
}
