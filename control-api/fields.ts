// The field types that every contract is made of, and the reply types that every route shares.
import Type, { type TSchema } from 'typebox';
import { type ErrorCode, errors } from './errors.ts';
import { Problem } from './problem.ts';

export const Id = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
export const Name = Type.String({ minLength: 1, maxLength: 200, pattern: '\\S' });
export const Text = Type.String({ maxLength: 2000 });
export const Instant = Type.String({ format: 'date-time', description: 'an instant of RFC 3339' });
export const Money = Type.String({
  pattern: '^[0-9]{1,12}(\\.[0-9]{1,4})?$',
  description: 'decimal string, e.g. "29.99"',
});
export const Currency = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217 code' });
export const Email = Type.String({ format: 'email', maxLength: 254 });
export const Phone = Type.String({ pattern: '^\\+[1-9][0-9]{6,14}$', description: 'E.164' });
export const Prefix = Type.String({ maxLength: 64, description: 'address or prefix in CIDR notation' });
export const Bytes = Type.Integer({ minimum: 0 });

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export function choice<const T extends readonly string[]>(values: T) {
  return Type.Unsafe<T[number]>(Type.Enum([...values]));
}

/** An object that takes no other keys. */
export const strict = <T extends Record<string, TSchema>>(properties: T, options: { description?: string } = {}) =>
  Type.Object(properties, { additionalProperties: false, ...options });

export const IdParams = strict({ id: Id });
/** The query string of every write. */
export const WriteQuery = strict({
  dry_run: Type.Optional(Type.Boolean({ description: 'do everything, answer as if done, keep nothing' })),
});
/** The body of an operation that needs none: absent or `{}`. */
export const NoBody = nullable(strict({}));
export const Empty = Type.Null({ description: 'no content' });

export const ProblemBody = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String({ description: 'one of the registered codes' }),
    request_id: Type.String(),
    problems: Type.Optional(
      Type.Array(Type.Object({ in: Type.String(), path: Type.String(), message: Type.String() })),
    ),
  },
  { description: 'an error (RFC 9457)' },
);

const always = [
  'validation_failed',
  'invalid_value',
  'unauthenticated',
  'forbidden',
  'tenant_forbidden',
  'tenant_required',
  'too_many_requests',
  'internal_error',
  'database_unavailable',
] as const satisfies readonly ErrorCode[];

/** The error replies of a route: the codes that any route can answer and its own. */
export function problems(...codes: readonly ErrorCode[]) {
  const reply = (family: number) => ({
    description: [...always, ...codes]
      .filter((code) => Math.floor(errors[code].status / 100) === family)
      .map((code) => `\`${code}\``)
      .join(', '),
    content: { 'application/problem+json': { schema: ProblemBody } },
  });
  return { '4xx': reply(4), '5xx': reply(5) };
}

const earliest = Date.UTC(1970, 0, 1);
const latest = Date.UTC(2200, 0, 1);

/** The instant of an RFC 3339 text between 1970 and 2200. */
export function instantOf(text: string, path: string, part: 'body' | 'query' = 'body'): Date {
  const instant = new Date(text);
  const ms = instant.getTime();
  if (!(ms >= earliest && ms < latest))
    throw new Problem('validation_failed', `${path} must be an instant between 1970 and 2200`, [
      { in: part, path, message: 'must be an instant between 1970 and 2200' },
    ]);
  return instant;
}
