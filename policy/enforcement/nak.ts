// How to take the Error-Cause of a CoA-NAK or Disconnect-NAK (RFC 5176 §3.5).

/** stale: the session is gone there. retry: later, with back-off. refused: the request is wrong for this device; repeating it is no use. */
export type Reaction = 'stale' | 'retry' | 'refused';

const transient: ReadonlySet<string> = new Set([
  'timeout',
  'unsent',
  '502', // Request Not Routable
  '504', // Session Context Not Removable
  '505', // Other Proxy Processing Error
  '506', // Resources Unavailable
  '507', // Request Initiated
]);

const defined: ReadonlySet<number> = new Set([
  201, 202, 401, 402, 403, 404, 405, 406, 407, 501, 502, 503, 504, 505, 506, 507, 508,
]);

/** The label of a metric, which no device can make grow: the cause when RFC 5176 §3.5 defines it, else 'other'; 'none' without one. */
export function causeLabel(cause: number | null): string {
  if (cause === null) return 'none';
  return defined.has(cause) ? String(cause) : 'other';
}

/** `cause` is the decimal Error-Cause, 'timeout' or 'unsent'; 'nak' stands for a NAK without one. */
export function reactionTo(cause: string): Reaction {
  if (cause === '503') return 'stale';
  return transient.has(cause) ? 'retry' : 'refused';
}

/** Whether the access server said no, as against saying nothing. */
export function isRefusal(cause: string): boolean {
  return cause === 'nak' || /^\d+$/.test(cause);
}
