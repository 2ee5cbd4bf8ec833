// The access servers of the snapshot, decoded once per change: for the main thread, which looks at all of them often.
import type { NasRecord, SnapshotReader } from './records.ts';

/** Undefined until the snapshot is complete. */
export function cachedNases(
  snapshot: Pick<SnapshotReader, 'complete' | 'nasGeneration' | 'nasList'>,
): () => readonly NasRecord[] | undefined {
  let nases: readonly NasRecord[] = [];
  let decoded = Number.NaN;
  return () => {
    if (!snapshot.complete()) return undefined;
    const generation = snapshot.nasGeneration();
    if (generation !== decoded) nases = snapshot.nasList();
    decoded = generation;
    return nases;
  };
}
