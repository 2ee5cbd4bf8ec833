// Helpers for errors of the environment: their text, their code, and settings that are wrong.

/** Settings that cannot be used; `problems` lists every one of them, one sentence each. */
export class InvalidSettings extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`settings are wrong:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'InvalidSettings';
    this.problems = problems;
  }
}

export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node, PostgreSQL or Redis error, or '' when it has none. */
export function codeOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code;
  return '';
}
