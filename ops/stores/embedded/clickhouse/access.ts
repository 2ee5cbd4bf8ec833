// Who may use the embedded server: one user with a password, told in any of the three ways of ClickHouse's HTTP interface.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ClickHouseException } from './exception.ts';

export type Credentials = { user: string; password: string };

/** @throws {ClickHouseException} REQUIRED_PASSWORD or AUTHENTICATION_FAILED. */
export function checkAccess(headers: IncomingHttpHeaders, query: URLSearchParams, expected: Credentials): void {
  const given = credentialsOf(headers, query);
  if (!given) throw new ClickHouseException(194, 'REQUIRED_PASSWORD', 'A user and a password are required.');
  // Both are compared, each in constant time: a wrong name takes as long as a wrong password.
  const rightUser = same(given.user, expected.user);
  const rightPassword = same(given.password, expected.password);
  if (rightUser && rightPassword) return;
  const reason = `${given.user}: Authentication failed: password is incorrect, or there is no user with such name.`;
  throw new ClickHouseException(516, 'AUTHENTICATION_FAILED', reason);
}

function credentialsOf(headers: IncomingHttpHeaders, query: URLSearchParams): Credentials | undefined {
  const user = headers['x-clickhouse-user'];
  const key = headers['x-clickhouse-key'];
  if (user !== undefined || key !== undefined) return { user: String(user ?? ''), password: String(key ?? '') };
  const basic = /^Basic\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (basic !== undefined) {
    const text = Buffer.from(basic, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    return colon < 0 ? { user: text, password: '' } : { user: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  if (!query.has('user') && !query.has('password')) return undefined;
  return { user: query.get('user') ?? '', password: query.get('password') ?? '' };
}

function same(left: string, right: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}
