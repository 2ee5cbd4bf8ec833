// The registry of error codes: every code a reply of the API can carry. ops/docs/errors.md is generated from it.
import { aaaErrors } from './aaa/errors.ts';
import { authErrors } from './auth/errors.ts';
import { customerErrors } from './customers/errors.ts';
import { deviceUserErrors } from './device-users/errors.ts';
import { deviceErrors } from './devices/errors.ts';
import { enforcementErrors } from './enforcement/errors.ts';
import { exporterErrors } from './exporters/errors.ts';
import { feedGuardErrors } from './feed-guard/errors.ts';
import { nasErrors } from './nas/errors.ts';
import { nasOperationErrors } from './nas-operations/errors.ts';
import { poolErrors } from './pools/errors.ts';
import type { ErrorEntry } from './problem.ts';
import { proxyErrors } from './proxy/errors.ts';
import { replyAttributeErrors } from './reply-attributes/errors.ts';
import { serviceErrors } from './services/errors.ts';
import { speedPolicyErrors } from './speed-policies/errors.ts';
import { subscriptionErrors } from './subscriptions/errors.ts';
import { tenantErrors } from './tenants/errors.ts';
import { usageErrors } from './usage/errors.ts';

const requestErrors = {
  validation_failed: { status: 400, title: 'The request does not fit its schema; `problems` lists what is wrong' },
  invalid_json: { status: 400, title: 'The body is not JSON' },
  invalid_value: { status: 400, title: 'A value is out of the range that can be stored' },
  invalid_cursor: { status: 400, title: 'The cursor does not belong to this list and sort order' },
  page_too_deep: { status: 400, title: 'So many pages in only a cursor leads further' },
  reference_unknown: { status: 400, title: 'An id in the body names nothing in this tenant' },
  not_found: { status: 404, title: 'Nothing is served at this path' },
  method_not_allowed: { status: 405, title: 'The path does not serve this method' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key was used before for another request' },
  too_many_requests: { status: 429, title: 'Too many requests; Retry-After says when to try again' },
  internal_error: { status: 500, title: 'Something went wrong on our side; the log has it under the request id' },
  database_unavailable: { status: 503, title: 'PostgreSQL is away or too busy; try again' },
  ledger_unavailable: { status: 503, title: 'Redis, which holds sessions and usage, is away; try again' },
} as const satisfies Record<string, ErrorEntry>;

export const errors = {
  ...requestErrors,
  ...authErrors,
  ...tenantErrors,
  ...nasErrors,
  ...speedPolicyErrors,
  ...replyAttributeErrors,
  ...customerErrors,
  ...serviceErrors,
  ...subscriptionErrors,
  ...usageErrors,
  ...enforcementErrors,
  ...feedGuardErrors,
  ...exporterErrors,
  ...poolErrors,
  ...deviceErrors,
  ...proxyErrors,
  ...deviceUserErrors,
  ...nasOperationErrors,
  ...aaaErrors,
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errors;

const byConstraint = new Map(
  Object.entries(errors as Record<string, ErrorEntry>).flatMap(([code, { constraint }]) =>
    constraint ? [[constraint, code as ErrorCode] as const] : [],
  ),
);

/** The code that a violation of a database constraint means; undefined when it is a bug of ours. */
export function codeOfConstraint(constraint: string): ErrorCode | undefined {
  return byConstraint.get(constraint);
}
