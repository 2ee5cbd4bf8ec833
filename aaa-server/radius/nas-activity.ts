// What each access server sends to a worker: when it was last heard, and what became of its requests.
import type { NasRecord } from '../subscribers/records.ts';

/** Of one NAS record. Counts since the worker started; written in place, once per packet. */
export type NasActivity = {
  readonly nasId: number;
  /** Wall clock of its last packet that verified, 0 when there was none. */
  lastHeardAtMs: number;
  access: number;
  accounting: number;
  status: number;
  rejected: number;
  /** Packets that got no answer. */
  dropped: number;
  /** Requests made with its current and its next secret, since its secrets last changed. */
  current: number;
  next: number;
  /** Wall clock of the last one with each, 0 when there was none. */
  currentAtMs: number;
  nextAtMs: number;
  /** Access-Requests with and without a Message-Authenticator. */
  proven: number;
  unproven: number;
};

export type NasActivities = {
  of(nasId: number): NasActivity;
  /** Forgets every NAS that is not listed: as many are kept as the ISP has. Changed secrets are counted from zero. */
  keep(records: readonly NasRecord[]): void;
  list(): NasActivity[];
};

export function createNasActivities(): NasActivities {
  const activities = new Map<number, NasActivity>();
  const secrets = new Map<number, string>();
  return {
    of(nasId) {
      const known = activities.get(nasId);
      if (known) return known;
      const fresh = emptyOf(nasId);
      activities.set(nasId, fresh);
      return fresh;
    },
    keep(records) {
      const listed = new Map(records.map((record) => [record.id, record]));
      for (const [nasId, activity] of activities) {
        const record = listed.get(nasId);
        if (!record) {
          activities.delete(nasId);
          continue;
        }
        const now = record.secretCiphers[0]?.toString('base64') ?? '';
        const before = secrets.get(nasId);
        if (before !== undefined && before !== now) Object.assign(activity, noUses);
      }
      secrets.clear();
      for (const { id, secretCiphers } of records) secrets.set(id, secretCiphers[0]?.toString('base64') ?? '');
    },
    list: () => [...activities.values()],
  };
}

const sums = [
  'access',
  'accounting',
  'status',
  'rejected',
  'dropped',
  'current',
  'next',
  'proven',
  'unproven',
] as const;

/** The lists of several workers as one, by NAS. */
export function mergeNasActivities(lists: readonly (readonly NasActivity[])[]): Map<number, NasActivity> {
  const merged = new Map<number, NasActivity>();
  for (const activity of lists.flat()) {
    const sum = merged.get(activity.nasId) ?? emptyOf(activity.nasId);
    merged.set(activity.nasId, sum);
    sum.lastHeardAtMs = Math.max(sum.lastHeardAtMs, activity.lastHeardAtMs);
    for (const count of sums) sum[count] += activity[count];
    sum.currentAtMs = Math.max(sum.currentAtMs, activity.currentAtMs);
    sum.nextAtMs = Math.max(sum.nextAtMs, activity.nextAtMs);
  }
  return merged;
}

const noUses = { current: 0, next: 0, currentAtMs: 0, nextAtMs: 0 };

function emptyOf(nasId: number): NasActivity {
  return {
    nasId,
    lastHeardAtMs: 0,
    access: 0,
    accounting: 0,
    status: 0,
    rejected: 0,
    dropped: 0,
    ...noUses,
    proven: 0,
    unproven: 0,
  };
}
