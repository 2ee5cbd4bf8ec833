// A request's body: decompressed, bounded, its first part in memory to read the statement from, rows spooled to a file.
import { type FileHandle, open } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { codeOf, messageOf } from '#ops/runtime/errors.ts';
import { badArguments, ClickHouseException, notImplemented } from './exception.ts';

export type Body = {
  /** The beginning: all of it when `complete`. */
  head: Buffer;
  complete: boolean;
  /** Writes everything from byte `from` of the head on to a new file. @returns how many bytes that were. */
  spool(from: number, file: string): Promise<number>;
};

export type BodyLimits = { headBytes: number; bodyBytes: number };

const decompressors: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

/** Written at a time: fewer calls than the pieces in which the network brings them. */
const writtenBytes = 1024 * 1024;

/** `lead` comes before the body, as ClickHouse puts `?query=` there. */
export async function receiveBody(message: IncomingMessage, lead: Buffer, limits: BodyLimits): Promise<Body> {
  if (Number(message.headers['content-length'] ?? 0) > limits.bodyBytes) throw tooLong(limits.bodyBytes);
  const next = reader(decompressed(message), limits.bodyBytes);
  const first: Buffer[] = [lead];
  let length = lead.length;
  let complete = false;
  while (length < limits.headBytes && !complete) {
    const chunk = await next();
    if (chunk) {
      first.push(chunk);
      length += chunk.length;
    } else complete = true;
  }
  const head = Buffer.concat(first);
  return {
    head,
    complete,
    spool: (from, file) => spool(file, head.subarray(from), complete ? async () => undefined : next),
  };
}

async function spool(file: string, beginning: Buffer, next: () => Promise<Buffer | undefined>): Promise<number> {
  const handle = await open(file, 'wx', 0o600);
  try {
    let total = 0;
    let pending = beginning.length > 0 ? [beginning] : [];
    let bytes = beginning.length;
    for (;;) {
      const chunk = bytes < writtenBytes ? await next() : undefined;
      if (chunk) {
        pending.push(chunk);
        bytes += chunk.length;
        continue;
      }
      if (bytes === 0) return total;
      await writeAll(handle, pending, bytes);
      total += bytes;
      pending = [];
      bytes = 0;
    }
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, buffers: readonly Buffer[], bytes: number): Promise<void> {
  const { bytesWritten } = await handle.writev(buffers);
  // A disk that fills up takes less than it is given; the next try says why.
  if (bytesWritten < bytes) await handle.writeFile(Buffer.concat(buffers).subarray(bytesWritten));
}

/** The fields of a form, which a client sends when its parameters are too long for an address. */
export async function readForm(body: Body, contentType: string): Promise<URLSearchParams> {
  if (!body.complete) throw new ClickHouseException(307, 'TOO_MANY_BYTES', 'The form is too long.');
  try {
    const form = await new Response(new Uint8Array(body.head), { headers: { 'content-type': contentType } }).formData();
    const fields = new URLSearchParams();
    for (const [name, value] of form) {
      if (typeof value !== 'string') throw notImplemented('External tables are not taken by the embedded server.');
      fields.append(name, value);
    }
    return fields;
  } catch (error) {
    if (error instanceof ClickHouseException) throw error;
    throw badArguments(`The form cannot be read: ${messageOf(error)}.`);
  }
}

function decompressed(message: IncomingMessage): Readable {
  const name = message.headers['content-encoding'] ?? 'identity';
  if (name === 'identity') return message;
  const make = decompressors[name];
  if (!make) throw notImplemented(`Content-Encoding ${JSON.stringify(name)} is not known.`);
  const stream = make();
  // Whoever reads the stream hears of a failure there.
  pipeline(message, stream, () => {});
  return stream;
}

function tooLong(limit: number): ClickHouseException {
  return new ClickHouseException(307, 'TOO_MANY_BYTES', `The body is longer than ${limit} bytes.`);
}

/** @returns a function that resolves with the next chunk, or undefined at the end. */
function reader(stream: Readable, limit: number): () => Promise<Buffer | undefined> {
  const chunks = stream[Symbol.asyncIterator]();
  let total = 0;
  return async () => {
    try {
      const { done, value } = await chunks.next();
      if (done) return undefined;
      total += value.length;
      if (total <= limit) return value;
    } catch (error) {
      if (!/^(Z_|ERR_BROTLI|ERR_ZSTD|ZSTD_)/.test(codeOf(error))) throw error;
      throw new ClickHouseException(
        354,
        'ZLIB_INFLATE_FAILED',
        `The body cannot be decompressed: ${messageOf(error)}.`,
      );
    }
    throw tooLong(limit);
  };
}
