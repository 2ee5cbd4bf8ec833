// What a worker answered lately, kept for the one that goes on with its sockets: a request repeated across a restart gets the same answer.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '#ops/runtime/errors.ts';
import type { AnsweredRequest } from './duplicates.ts';

/** Sockets of RadSec are numbered from the top, by connections: those end with their worker. */
const firstOfRadsec = 128;
/** Port, socket, identifier, length of the address, age in milliseconds, length of the reply. */
const fixed = 2 + 1 + 1 + 1 + 4 + 2;
const authenticatorLength = 16;
/** Wall clock (8) and number of workers (1) in front of a file. */
const fileHeader = 9;
/** After this long nothing is repeated any more. */
const tooOldMs = 10_000;

export function packAnswers(answered: Iterable<AnsweredRequest>): Buffer {
  const parts: Buffer[] = [];
  for (const { peer, socket, identifier, authenticator, ageMs, reply } of answered) {
    if (socket >= firstOfRadsec) continue;
    const address = Buffer.from(peer.address, 'latin1');
    const part = Buffer.allocUnsafe(fixed + authenticatorLength + address.length + reply.length);
    let at = part.writeUInt16LE(peer.port, 0);
    at = part.writeUInt8(socket, at);
    at = part.writeUInt8(identifier, at);
    at = part.writeUInt8(address.length, at);
    at = part.writeUInt32LE(Math.round(ageMs), at);
    at = part.writeUInt16LE(reply.length, at);
    at += authenticator.copy(part, at);
    at += address.copy(part, at);
    reply.copy(part, at);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** The views into `bytes` it yields live as long as it. Stops at what is cut off. */
export function* unpackAnswers(bytes: Buffer): Iterable<AnsweredRequest> {
  for (let at = 0; at + fixed + authenticatorLength <= bytes.length; ) {
    const port = bytes.readUInt16LE(at);
    const socket = bytes.readUInt8(at + 2);
    const identifier = bytes.readUInt8(at + 3);
    const addressLength = bytes.readUInt8(at + 4);
    const ageMs = bytes.readUInt32LE(at + 5);
    const replyLength = bytes.readUInt16LE(at + 9);
    const authenticatorAt = at + fixed;
    const addressAt = authenticatorAt + authenticatorLength;
    const replyAt = addressAt + addressLength;
    at = replyAt + replyLength;
    if (at > bytes.length) return;
    yield {
      peer: { address: bytes.toString('latin1', addressAt, replyAt), port },
      socket,
      identifier,
      authenticator: bytes.subarray(authenticatorAt, addressAt),
      ageMs,
      reply: bytes.subarray(replyAt, at),
    };
  }
}

/** @param walFolder of this worker; `…-0` is that of the first one */
export async function keepAnswers(walFolder: string, workers: number, recent: Buffer, nowMs: number): Promise<void> {
  const header = Buffer.alloc(fileHeader);
  header.writeDoubleLE(nowMs, 0);
  header.writeUInt8(workers, fileHeader - 1);
  await writeFile(fileIn(walFolder), [header, recent], { mode: 0o600 });
}

/**
 * What was kept a moment ago by the worker with this log; by all of them when there were more or fewer, as the kernel then spreads the
 * sources otherwise. Ages are those of now. `unreadable` hears of a file that cannot be read: it is as good as none.
 */
export async function keptAnswers(
  walFolder: string,
  workers: number,
  nowMs: number,
  unreadable: (error: unknown) => void,
): Promise<Buffer[]> {
  const own = await readKept(walFolder, nowMs, unreadable);
  const first = await readKept(folderOf(walFolder, 0), nowMs, unreadable);
  const before = own?.workers ?? first?.workers ?? 0;
  if (own && before === workers) return [own.recent];
  const kept = await Promise.all(
    Array.from({ length: before }, (_, worker) => readKept(folderOf(walFolder, worker), nowMs, unreadable)),
  );
  return kept.flatMap((one) => (one ? [one.recent] : []));
}

async function readKept(
  walFolder: string,
  nowMs: number,
  unreadable: (error: unknown) => void,
): Promise<{ workers: number; recent: Buffer } | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(fileIn(walFolder));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') unreadable(error);
    return undefined;
  }
  if (bytes.length < fileHeader) return undefined;
  const sinceMs = nowMs - bytes.readDoubleLE(0);
  // Of an earlier stop, or the clock was set.
  if (!(sinceMs >= 0 && sinceMs < tooOldMs)) return undefined;
  const recent = bytes.subarray(fileHeader);
  return { workers: bytes.readUInt8(fileHeader - 1), recent: aged(recent, sinceMs) };
}

function aged(recent: Buffer, byMs: number): Buffer {
  for (const { ageMs, authenticator } of unpackAnswers(recent)) {
    const at = authenticator.byteOffset - recent.byteOffset - fixed + 5;
    recent.writeUInt32LE(Math.min(0xffff_ffff, ageMs + Math.round(byMs)), at);
  }
  return recent;
}

function fileIn(walFolder: string): string {
  return path.join(walFolder, 'recent-answers');
}

function folderOf(walFolder: string, worker: number): string {
  return walFolder.replace(/\d+$/, String(worker));
}
