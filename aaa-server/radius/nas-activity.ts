// What each access server sends to a worker: when it was last heard, and what became of its requests.

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
};

export type NasActivities = {
  of(nasId: number): NasActivity;
  /** Forgets every NAS that is not listed: as many are kept as the ISP has. */
  keep(nasIds: ReadonlySet<number>): void;
  list(): NasActivity[];
};

export function createNasActivities(): NasActivities {
  const activities = new Map<number, NasActivity>();
  return {
    of(nasId) {
      const known = activities.get(nasId);
      if (known) return known;
      const fresh = { nasId, lastHeardAtMs: 0, access: 0, accounting: 0, status: 0, rejected: 0, dropped: 0 };
      activities.set(nasId, fresh);
      return fresh;
    },
    keep(nasIds) {
      for (const nasId of activities.keys()) if (!nasIds.has(nasId)) activities.delete(nasId);
    },
    list: () => [...activities.values()],
  };
}

/** The lists of several workers as one, by NAS. */
export function mergeNasActivities(lists: readonly (readonly NasActivity[])[]): Map<number, NasActivity> {
  const merged = createNasActivities();
  for (const activity of lists.flat()) {
    const sum = merged.of(activity.nasId);
    sum.lastHeardAtMs = Math.max(sum.lastHeardAtMs, activity.lastHeardAtMs);
    for (const count of ['access', 'accounting', 'status', 'rejected', 'dropped'] as const)
      sum[count] += activity[count];
  }
  return new Map(merged.list().map((activity) => [activity.nasId, activity]));
}
