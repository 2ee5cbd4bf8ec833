// Tells what an error of PostgreSQL means for the caller: a domain error, bad input, a store that is away, or a bug.
import { codeOf } from '#ops/runtime/errors.ts';
import { codeOfConstraint } from '../errors.ts';
import { Problem } from '../problem.ts';

const integrityStates = new Set(['23505', '23P01', '23514', '23503']);
const foreignKeyViolation = '23503';
/** Connection lost or refused, shutting down, starting up, out of connections, timed out. */
const awayStates = /^(08...|57P0[1-4]|57014|53...|55P03|25P03)$/;
const awayCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
]);
const awayMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;

/** The SQLSTATE of an error or of what caused it; '' without one. */
export function sqlStateOf(error: unknown): string {
  for (const cause of causesOf(error)) if (/^[0-9A-Z]{5}$/.test(codeOf(cause))) return codeOf(cause);
  return '';
}

/** The domain error that a failure of the database means; undefined when it is a bug. */
export function problemOfDatabase(error: unknown): Problem | undefined {
  const state = sqlStateOf(error);
  if (integrityStates.has(state)) {
    const constraint = constraintOf(error);
    const code = codeOfConstraint(constraint);
    if (code) return new Problem(code, 'refused by what is stored already', [], error);
    if (state === foreignKeyViolation)
      return new Problem('reference_unknown', 'an id in the body names nothing in this tenant', [], error);
    return undefined;
  }
  if (state.startsWith('22')) return new Problem('invalid_value', 'a value is out of range', [], error);
  if (isAway(error, state)) return new Problem('database_unavailable', 'the database does not answer', [], error);
  return undefined;
}

function isAway(error: unknown, state: string): boolean {
  if (awayStates.test(state)) return true;
  return causesOf(error).some(
    (cause) => awayCodes.has(codeOf(cause)) || (cause instanceof Error && awayMessages.test(cause.message)),
  );
}

function constraintOf(error: unknown): string {
  for (const cause of causesOf(error))
    if (typeof cause === 'object' && cause !== null && 'constraint' in cause && typeof cause.constraint === 'string')
      return cause.constraint;
  return '';
}

function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  for (let at = error; at !== undefined && at !== null && causes.length < 8; ) {
    causes.push(at);
    if (at instanceof AggregateError) causes.push(...at.errors);
    at = at instanceof Error ? at.cause : undefined;
  }
  return causes;
}
