// Which entries of the outbox a batch holds: told to Redis when the batch is on disk, and again after a restart.
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';

/** Partition → ids of entries of its stream. */
export type Receipt = ReadonlyMap<number, readonly string[]>;

export async function writeReceipt(receipt: Receipt): Promise<Buffer> {
  return promisify(gzip)(JSON.stringify([...receipt]), { level: 1 });
}

export async function readReceipt(bytes: Buffer): Promise<Receipt> {
  const text = (await promisify(gunzip)(bytes)).toString();
  return new Map(JSON.parse(text) as [number, string[]][]);
}
