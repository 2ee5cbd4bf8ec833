// A domain error: a registered code that a caller can rely on, answered as problem+json (RFC 9457).
import type { ErrorCode } from './errors.ts';

/** What an entry of the registry says; `constraint` names the database constraint whose violation means this error. */
export type ErrorEntry = { readonly status: number; readonly title: string; readonly constraint?: string };

/** One thing that is wrong with a request, e.g. `{ in: 'body', path: '/name', message: 'must be string' }`. */
export type InputProblem = { readonly in: string; readonly path: string; readonly message: string };

export class Problem extends Error {
  readonly code: ErrorCode;
  readonly problems: readonly InputProblem[];
  constructor(code: ErrorCode, detail: string, problems: readonly InputProblem[] = [], cause?: unknown) {
    super(detail, { cause });
    this.name = 'Problem';
    this.code = code;
    this.problems = problems;
  }
}

/** The error to throw for something wrong in one field of the body that its schema cannot say. */
export function invalid(path: string, message: string): Problem {
  return new Problem('validation_failed', `body${path} ${message}`, [{ in: 'body', path, message }]);
}
