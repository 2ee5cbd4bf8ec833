// The sources that are no NAS of ours and send most: what an operator looks at when a new device gets no answer.

export type UnknownClient = {
  readonly address: string;
  /** Never less than the true count while listed; `overcount` is the most it may be too high. */
  readonly packets: number;
  readonly overcount: number;
  readonly lastSeenAtMs: number;
};

export type UnknownClients = {
  note(address: string, nowMs: number): void;
  /** Most packets first. */
  list(): UnknownClient[];
};

/** Space-saving top-N (Metwally 2005): a stranger beyond the N takes the place and count of the least frequent. */
export function createUnknownClients(capacity = 100): UnknownClients {
  const clients = new Map<string, { packets: number; overcount: number; lastSeenAtMs: number }>();
  return {
    note(address, nowMs) {
      const known = clients.get(address);
      if (known) {
        known.packets++;
        known.lastSeenAtMs = nowMs;
        return;
      }
      let inherited = 0;
      if (clients.size >= capacity) {
        const least = [...clients].reduce((a, b) => (b[1].packets < a[1].packets ? b : a));
        inherited = least[1].packets;
        clients.delete(least[0]);
      }
      clients.set(address, { packets: inherited + 1, overcount: inherited, lastSeenAtMs: nowMs });
    },
    list: () =>
      [...clients]
        .map(([address, client]) => ({ address, ...client }))
        .sort((a, b) => b.packets - a.packets || b.lastSeenAtMs - a.lastSeenAtMs),
  };
}

/** The lists of several workers as one. */
export function mergeUnknownClients(lists: readonly (readonly UnknownClient[])[], capacity = 100): UnknownClient[] {
  const merged = new Map<string, UnknownClient>();
  for (const client of lists.flat()) {
    const other = merged.get(client.address);
    merged.set(client.address, {
      address: client.address,
      packets: client.packets + (other?.packets ?? 0),
      overcount: client.overcount + (other?.overcount ?? 0),
      lastSeenAtMs: Math.max(client.lastSeenAtMs, other?.lastSeenAtMs ?? 0),
    });
  }
  return [...merged.values()].sort((a, b) => b.packets - a.packets).slice(0, capacity);
}
