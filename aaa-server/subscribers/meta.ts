// Marks in LMDB that belong to no tenant: written by the main thread, some of them read by every worker.
import type { Environment } from './environment.ts';
import { metaKey } from './keys.ts';

export const metaKeys = {
  /** In a snapshot: 1 once it holds a whole copy. */
  complete: metaKey('complete'),
  /** In a snapshot: JSON of the source position up to which it is applied. */
  position: metaKey('position'),
  /** In a snapshot: wall-clock ms of the last proof that the feed works. */
  feedAlive: metaKey('feed alive'),
  /** In a snapshot: version of the last change of a versioned record, and of a NAS or tenant. */
  generation: metaKey('generation'),
  nasGeneration: metaKey('nas generation'),
  /** In the node file: name of the current snapshot file. */
  currentSnapshot: metaKey('current snapshot'),
  /** In the node file: wall-clock ms when every profile stream had last been read to its end. */
  mirrorInStep: metaKey('mirror in step'),
  /** In the node file: version of the last change of a decided profile. */
  profileGeneration: metaKey('profile generation'),
} as const;

/** In the node file: id of the last applied entry of a partition's profile stream. */
export function mirrorPositionKey(partition: number): Buffer {
  return metaKey(`mirror ${partition}`);
}

/** 0 when it was never written. */
export function readNumber(environment: Environment | undefined, key: Buffer): number {
  return environment?.getBinaryFast(key)?.readDoubleLE(0) ?? 0;
}

export function numberBytes(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleLE(value, 0);
  return bytes;
}
