// Turns every error into problem+json with a registered code (RFC 9457); what is not registered is a bug and says nothing.
import { DrizzleQueryError } from 'drizzle-orm';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { codeOf, messageOf } from '#ops/runtime/errors.ts';
import type { Api } from '../api.ts';
import { problemOfDatabase } from '../database/failure.ts';
import { type ErrorCode, errors } from '../errors.ts';
import { Problem } from '../problem.ts';

export function problemReplies(app: Api): void {
  app.setErrorHandler((error, request, reply) => answer(error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    answer(new Problem('not_found', `nothing is served at ${request.method} ${pathOf(request)}`), request, reply),
  );
}

/** Sends `error` as problem+json. Also used where Fastify fails before a route is found. */
export function answer(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error);
  const { status, title } = errors[problem.code];
  if (status >= 500) report(request, error, problem.code);
  if (problem.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
  return reply
    .code(status)
    .type('application/problem+json')
    .send({
      type: `urn:lastmile:error:${problem.code}`,
      title,
      status,
      detail: problem.message,
      code: problem.code,
      request_id: request.id,
      ...(problem.problems.length > 0 ? { problems: problem.problems } : {}),
    });
}

/** A store that is away is told in one line; a bug with its stack, but never with the parameters of a query: they hold secrets. */
function report(request: FastifyRequest, error: unknown, code: ErrorCode): void {
  if (code !== 'internal_error') request.log.warn({ code, reason: messageOf(rootOf(error)) }, 'request failed');
  else if (error instanceof DrizzleQueryError)
    request.log.error({ err: error.cause ?? new Error('query failed'), query: error.query, code }, 'request failed');
  else request.log.error({ err: error, code }, 'request failed');
}

function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}

const fastifyCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_json',
  FST_ERR_BAD_URL: 'not_found',
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
};

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const database = problemOfDatabase(error);
  if (database) return database;
  const code = fastifyCodes[codeOf(error)];
  const { statusCode } = error as Partial<FastifyError>;
  if (code) return new Problem(code, errors[code].title, [], error);
  // What is left with 400 is the body's text, refused before its schema (malformed JSON, forbidden keys).
  if (statusCode === 400) return new Problem('invalid_json', 'the body cannot be read as JSON', [], error);
  return new Problem('internal_error', 'an unexpected error; it is logged under the request id', [], error);
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?')[0] ?? '';
}
