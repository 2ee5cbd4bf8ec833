// Tells a ledger that is away (wait, everything will pass) from a record it refuses (its lane waits, the others go on).
import { codeOf, messageOf } from '#ops/runtime/errors.ts';

/** First words of Redis errors that say nothing about the call itself. */
const passing = new Set([
  'LOADING',
  'READONLY',
  'OOM',
  'MISCONF',
  'BUSY',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'MASTERDOWN',
  'NOREPLICAS',
  'MOVED',
  'ASK',
  'UNBLOCKED',
  'NOAUTH',
  'WRONGPASS',
  'LEDGERPAUSED',
]);

/** True for a lost connection, a timeout, and what a Redis says that cannot take writes now. */
export function isAway(error: unknown): boolean {
  const isReply = error instanceof Error && error.name === 'ReplyError';
  return !isReply || passing.has(firstWord(error));
}

/** A metric label: the first word of a Redis error or the code of the connection's. */
export function errorLabel(error: unknown): string {
  return codeOf(error) || firstWord(error) || 'other';
}

function firstWord(error: unknown): string {
  return /^-?([A-Z]{2,})\b/.exec(messageOf(error))?.[1] ?? '';
}
