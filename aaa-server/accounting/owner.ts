// Whose record it is when it is applied: by its Class, else where its session runs, else by the user name as received.
import type { AccountingRecord } from '#policy/ledger/types.ts';

export type SessionOwner = { readonly partition: number; readonly subscriptionId: number };

/** The directory of running sessions; undefined when the session is not running. */
export type LookupSession = (nasInstance: string, sessionId: string) => Promise<SessionOwner | undefined>;

export type OwnerOf = {
  /** The record with the partition and the subscription it counts for. */
  resolve(record: AccountingRecord): AccountingRecord | Promise<AccountingRecord>;
  /** The ledger may have gone back in time: ask it again. */
  forget(): void;
};

/**
 * A record without Class belongs where its running session began, even when its user name has got (another) owner since. What was found is
 * remembered for the newest `capacity` sessions; a Stop or a restart of the NAS ends the session and its memory.
 *
 * The chain of a lane is the records resolved to its partition. Read again after a rewind, a record may resolve differently only when its
 * session's directory entry came or went meanwhile and its user name changed hands during the session. Its own chain then names a `previous`
 * the ledger does not have: the gap answer re-anchors the lane at what is stored, and no other record is skipped or counted twice.
 */
export function createOwnerOf(lookup: LookupSession, capacity = 10_000): OwnerOf {
  const known = new Map<string, SessionOwner>();

  function remember(key: string, owner: SessionOwner): void {
    known.delete(key);
    known.set(key, owner);
    const oldest = known.keys().next();
    if (known.size > capacity && !oldest.done) known.delete(oldest.value);
  }

  async function ask(key: string, record: AccountingRecord): Promise<AccountingRecord> {
    const found = await lookup(record.nasInstance, record.sessionId);
    const owner = found ?? { partition: record.partition, subscriptionId: record.subscriptionId };
    if (record.kind !== 'stop') remember(key, owner);
    return ownedBy(record, owner);
  }

  return {
    resolve(record) {
      if (record.kind === 'on' || record.kind === 'off') {
        known.clear();
        return record;
      }
      if (record.classUuid !== '') return record;
      const key = `${record.nasInstance}\n${record.sessionId}`;
      const owner = known.get(key);
      if (!owner) return ask(key, record);
      if (record.kind === 'stop') known.delete(key);
      return ownedBy(record, owner);
    },
    forget: () => known.clear(),
  };
}

function ownedBy(record: AccountingRecord, owner: SessionOwner): AccountingRecord {
  const same = record.partition === owner.partition && record.subscriptionId === owner.subscriptionId;
  return same ? record : { ...record, partition: owner.partition, subscriptionId: owner.subscriptionId };
}
