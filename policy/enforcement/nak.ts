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

/** `cause` is the decimal Error-Cause, 'timeout' or 'unsent'; 'nak' stands for a NAK without one. */
export function reactionTo(cause: string): Reaction {
  if (cause === '503') return 'stale';
  return transient.has(cause) ? 'retry' : 'refused';
}

/** Whether the access server said no, as against saying nothing. */
export function isRefusal(cause: string): boolean {
  return cause === 'nak' || /^\d+$/.test(cause);
}
