// Notes in the directory of running sessions: those of a moment in one call, where one server has them all.
import { Cluster, type Redis } from 'ioredis';
import type { Applied } from './apply.ts';
import type { CallFunction } from './call.ts';
import { keys } from './keys.ts';
import { createTogether } from './together.ts';
import type { AccountingRecord } from './types.ts';

export type DirectoryNote = { readonly record: AccountingRecord; readonly applied: Applied };

/** Resolves when it is noted, or could not be: the index is brought up with the next change of the session or once a day. */
export function createDirectory(
  redis: Redis | Cluster,
  call: CallFunction,
  onProblem: (error: unknown) => void,
): (note: DirectoryNote) => Promise<void> {
  const note = createTogether<DirectoryNote & { readonly key: string }, void>({
    // Entries of a cluster lie in slots of their own.
    groupOf: ({ key }) => (redis instanceof Cluster ? key : ''),
    most: 32,
    async send(notes) {
      await call(
        'directory_note',
        notes.map(({ key }) => key),
        notes.flatMap(({ record: { partition, tenantId }, applied: { subscription, incarnation, lastMs, change } }) => [
          ...[partition, tenantId, subscription, incarnation, lastMs, change],
        ]),
      );
      return notes.map(() => undefined);
    },
  });
  return async ({ record, applied }) => {
    try {
      await note({ record, applied, key: keys.directory(record.nasInstance, record.sessionId) });
    } catch (error) {
      onProblem(error);
    }
  };
}
