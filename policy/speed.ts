// A speed profile: what a session may send and receive, in bits per second.

/** Seen from the subscriber: `upBps` is what the subscriber sends, `downBps` what it receives. Both > 0. */
export type Speed = { readonly upBps: number; readonly downBps: number };
