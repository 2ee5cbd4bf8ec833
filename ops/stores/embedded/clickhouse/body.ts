// A request's body: decompressed, bounded, its first part in memory to read the statement from, rows spooled to a file.
import { createWriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { pipeline, type Readable, type Transform } from 'node:stream';
import { pipeline as written } from 'node:stream/promises';
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

/** `lead` comes before the body, as ClickHouse puts `?query=` there. */
export async function receiveBody(message: IncomingMessage, lead: Buffer, limits: BodyLimits): Promise<Body> {
  if (Number(message.headers['content-length'] ?? 0) > limits.bodyBytes) throw tooLong(limits.bodyBytes);
  const chunks = bounded(decompressed(message), limits.bodyBytes);
  const first: Buffer[] = [lead];
  let length = lead.length;
  let complete = false;
  while (length < limits.headBytes && !complete) {
    const { done, value } = await chunks.next();
    if (done) complete = true;
    else {
      first.push(value);
      length += value.length;
    }
  }
  const head = Buffer.concat(first);
  return {
    head,
    complete,
    async spool(from, file) {
      let bytes = 0;
      const rows = async function* () {
        if (from < head.length) yield head.subarray(from);
        if (!complete) yield* chunks;
      };
      const counted = async function* () {
        for await (const chunk of rows()) {
          bytes += chunk.length;
          yield chunk;
        }
      };
      await written(counted, createWriteStream(file, { flags: 'wx', mode: 0o600 }));
      return bytes;
    },
  };
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

async function* bounded(stream: Readable, limit: number): AsyncGenerator<Buffer> {
  let total = 0;
  try {
    for await (const chunk of stream) {
      total += chunk.length;
      if (total > limit) throw tooLong(limit);
      yield chunk;
    }
  } catch (error) {
    if (!/^(Z_|ERR_BROTLI|ERR_ZSTD|ZSTD_)/.test(codeOf(error))) throw error;
    throw new ClickHouseException(354, 'ZLIB_INFLATE_FAILED', `The body cannot be decompressed: ${messageOf(error)}.`);
  }
}
