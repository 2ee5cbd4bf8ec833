// Validates requests by their TypeBox schemas: nothing is removed or filled in, and only query and path texts become numbers.
import type { FastifySchemaCompiler } from 'fastify';
import type { TObject, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Api } from '../api.ts';
import { type InputProblem, Problem } from '../problem.ts';

export function validation(app: Api): void {
  app.setValidatorCompiler(compile);
  app.addHook('preValidation', async (request) => {
    for (const [part, value] of [
      ['path', request.params],
      ['query', request.query],
      ['body', request.body],
    ] as const)
      refuseNul(part, value, '');
    const key = request.headers['idempotency-key'];
    if (key !== undefined && (typeof key !== 'string' || key.length < 1 || key.length > 255))
      throw new Problem('validation_failed', 'Idempotency-Key must be 1 to 255 characters');
  });
}

const compile: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const compiled = Compile(schema);
  return (input: unknown) => {
    const value = httpPart === 'body' ? input : fromTexts(schema, input);
    if (compiled.Check(value)) return { value };
    const part = httpPart === 'querystring' ? 'query' : httpPart === 'params' ? 'path' : (httpPart ?? 'request');
    const problems = explain(compiled.Errors(value)).map((problem) => ({ in: part, ...problem }));
    const [first] = problems;
    return {
      error: new Problem('validation_failed', `${part}${first?.path ?? ''} ${first?.message ?? 'is wrong'}`, problems),
    };
  };
};

type SchemaError = { keyword: string; instancePath: string; message: string; params: object };

function explain(errors: readonly SchemaError[]): Omit<InputProblem, 'in'>[] {
  return errors.flatMap(({ keyword, instancePath, message, params }) => {
    if (message === 'schema is false') return []; // told again as additionalProperties, with the names
    if (
      keyword === 'additionalProperties' &&
      'additionalProperties' in params &&
      Array.isArray(params.additionalProperties)
    )
      return params.additionalProperties.map((key) => ({
        path: `${instancePath}/${key}`,
        message: 'is not known here',
      }));
    if ('allowedValues' in params && Array.isArray(params.allowedValues))
      return [{ path: instancePath, message: `must be one of ${params.allowedValues.join(', ')}` }];
    return [{ path: instancePath, message }];
  });
}

/** Query and path values arrive as text: whole numbers and booleans become what the schema says. */
function fromTexts(schema: TSchema, input: unknown): unknown {
  if (typeof input !== 'object' || input === null || !('properties' in schema)) return input;
  const { properties } = schema as TObject;
  return Object.fromEntries(
    Object.entries(input).map(([name, value]) => {
      const type = (properties[name] as { type?: string } | undefined)?.type;
      if (type === 'integer' && typeof value === 'string' && /^-?[0-9]{1,19}$/.test(value))
        return [name, Number(value)];
      if (type === 'boolean' && (value === 'true' || value === 'false')) return [name, value === 'true'];
      return [name, value];
    }),
  );
}

function refuseNul(part: string, value: unknown, path: string): void {
  if (typeof value === 'string') {
    if (value.includes('\0'))
      throw new Problem('validation_failed', `${part}${path} must not contain a NUL character`, [
        { in: part, path, message: 'must not contain a NUL character' },
      ]);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      refuseNul(part, key, path);
      refuseNul(part, item, `${path}/${key}`);
    }
  }
}
