// Turns every error into problem+json with a registered code (RFC 9457); what is not registered is a bug and says nothing.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { codeOf } from '#ops/runtime/errors.ts';
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
  if (status >= 500) request.log.error({ err: error, code: problem.code }, 'request failed');
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
