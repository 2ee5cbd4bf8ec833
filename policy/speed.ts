// A speed profile: what a session may send and receive, in bits per second.

/** Seen from the subscriber: `upBps` is what the subscriber sends, `downBps` what it receives. Both > 0. */
export type Speed = { readonly upBps: number; readonly downBps: number };

/** The lower of two speeds, each direction by itself. */
export function slowerOf(a: Speed, b: Speed): Speed {
  return { upBps: Math.min(a.upBps, b.upBps), downBps: Math.min(a.downBps, b.downBps) };
}

export function isSameSpeed(a: Speed, b: Speed): boolean {
  return a.upBps === b.upBps && a.downBps === b.downBps;
}
