// Publishes what was decided for a subscription, so that the next login at any node answers it without asking.
import type { ProfileRecord } from '#aaa-server/subscribers/records.ts';
import type { EnforcementLedger, Lease } from '#policy/ledger/enforcement.ts';

export type Profiles = {
  /** Does nothing when `profile` says the same as `last`, unless a login has shown that not every mirror has it. */
  publish(lease: Lease, profile: ProfileRecord, last: ProfileRecord | null, again: boolean): Promise<void>;
};

/** `onPublished` hears the partition, so that this node's logins need not wait for the mirror's next look. */
export function createProfiles(ledger: EnforcementLedger, onPublished: (partition: number) => void): Profiles {
  return {
    async publish(lease, profile, last, again) {
      if (!again && saysTheSame(profile, last ?? { ...profile, ...nothing })) return;
      await ledger.publishProfile(lease, profile);
      onPublished(lease.partition);
    },
  };
}

const nothing = { fupSpeed: null, fupBlocked: false, fupUntilMs: null, heldOutcome: null };

/** When a state ends matters only where there is one: with nothing in force a login answers the tariff's speed anyway. */
function saysTheSame(a: ProfileRecord, b: ProfileRecord): boolean {
  const inForce = a.fupBlocked || a.fupSpeed !== null;
  return (
    a.heldOutcome === b.heldOutcome &&
    a.fupBlocked === b.fupBlocked &&
    a.fupSpeed?.upBps === b.fupSpeed?.upBps &&
    a.fupSpeed?.downBps === b.fupSpeed?.downBps &&
    (!inForce || a.fupUntilMs === b.fupUntilMs)
  );
}
