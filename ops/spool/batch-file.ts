// One batch of rows as a file: written whole or not at all, with everything that its insert needs, so that each try is the same.
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from '../wal/segments.ts';

export type BatchFacts = {
  /** The same at every try: the store takes a batch of a known token for the one it has. */
  readonly token: string;
  /** The statement before the rows, e.g. `INSERT INTO flows (…) FORMAT RowBinary`: a newer program still inserts what an older one wrote. */
  readonly into: string;
  readonly rows: number;
  /** When the oldest row came into being. */
  readonly oldestMs: number;
  /** Of the body, as HTTP names it; gzip when it is not said. */
  readonly encoding?: 'gzip' | 'identity';
};

export type NewBatch = BatchFacts & {
  /** What was taken over from whoever gave the rows; see {@link readReceipt}. */
  readonly receipt: Buffer;
  /** The rows. */
  readonly body: Buffer;
};

export type StoredBatch = BatchFacts & {
  readonly file: string;
  readonly bytes: number;
  readonly receiptAt: number;
  readonly bodyAt: number;
};

/** Thrown for a file that is no batch, or of a later format. */
export class UnreadableBatch extends Error {
  override name = 'UnreadableBatch';
}

const version = 1;
const longestHeader = 16 * 1024;

/** What a batch survives once it is written: the end of the process alone, or the loss of power too, which costs the wait for the disk. */
export type Survives = 'process' | 'power';

/** There after what it `survives` when it resolves; on failure nothing is left behind. */
export async function writeBatch(
  file: string,
  { receipt, body, ...facts }: NewBatch,
  survives: Survives,
): Promise<StoredBatch> {
  const header = Buffer.from(`${JSON.stringify({ version, ...facts, receiptBytes: receipt.length })}\n`);
  const draft = `${file}.new`;
  try {
    const handle = await open(draft, 'w', 0o600);
    try {
      for (const part of [header, receipt, body]) await handle.writeFile(part);
      if (survives === 'power') await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
    if (survives === 'power') await syncFolder(path.dirname(file));
  } catch (error) {
    await Promise.all([rm(draft, { force: true }), rm(file, { force: true })]);
    throw error;
  }
  const receiptAt = header.length;
  const bodyAt = receiptAt + receipt.length;
  return { ...facts, file, bytes: bodyAt + body.length, receiptAt, bodyAt };
}

/** @throws {UnreadableBatch} */
export async function readBatch(file: string): Promise<StoredBatch> {
  return opened(file, async (handle) => {
    const start = Buffer.alloc(longestHeader);
    const { bytesRead } = await handle.read(start, 0, longestHeader, 0);
    const end = start.subarray(0, bytesRead).indexOf('\n');
    const header = end < 0 ? undefined : headerOf(start.toString('utf8', 0, end));
    const { size } = await handle.stat();
    if (!header || end + 1 + header.receiptBytes > size)
      throw new UnreadableBatch(`${file} is no batch of this version`);
    const { receiptBytes, token, into, rows, oldestMs, encoding = 'gzip' } = header;
    const receiptAt = end + 1;
    return { token, into, rows, oldestMs, encoding, file, bytes: size, receiptAt, bodyAt: receiptAt + receiptBytes };
  });
}

export function readReceipt({ file, receiptAt, bodyAt }: StoredBatch): Promise<Buffer> {
  return slice(file, receiptAt, bodyAt);
}

/** The rows, encoded as the batch says. */
export function readBody({ file, bodyAt, bytes }: StoredBatch): Promise<Buffer> {
  return slice(file, bodyAt, bytes);
}

async function slice(file: string, from: number, to: number): Promise<Buffer> {
  return opened(file, async (handle) => {
    const bytes = Buffer.alloc(to - from);
    for (let have = 0; have < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, have, bytes.length - have, from + have);
      if (bytesRead === 0) throw new UnreadableBatch(`${file} is shorter than it was`);
      have += bytesRead;
    }
    return bytes;
  });
}

async function opened<T>(file: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(file, 'r');
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

type Header = BatchFacts & { readonly receiptBytes: number };

function headerOf(text: string): Header | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isHeader(value) ? value : undefined;
}

function isHeader(value: unknown): value is Header {
  if (typeof value !== 'object' || value === null) return false;
  const { token, into, encoding, ...numbers } = value as Record<string, unknown>;
  const counts = [numbers.rows, numbers.oldestMs, numbers.receiptBytes];
  const sound = counts.every((count) => Number.isSafeInteger(count) && Number(count) >= 0);
  const known = encoding === undefined || encoding === 'gzip' || encoding === 'identity';
  return numbers.version === version && typeof token === 'string' && typeof into === 'string' && known && sound;
}
