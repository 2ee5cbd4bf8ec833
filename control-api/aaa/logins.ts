// Reads the auth log and its statistics from the history.
import type { Static } from 'typebox';
import type { LoggedLogin, LoginPlace } from '#ops/history/logins.ts';
import { loginSentence } from '#policy/access/login-sentences.ts';
import type { TenantScope } from '../database/connect.ts';
import { decodeCursor, encodeCursor } from '../database/cursor.ts';
import { read } from '../database/read.ts';
import type { Deps } from '../deps.ts';
import { instantOf } from '../fields.ts';
import { Problem } from '../problem.ts';
import { type SubscriptionPath, subscriptionOf } from '../subscriptions/queries.ts';
import type { LoginsQuery, LoginsReply, OwnLoginsQuery, RejectsQuery, RejectsReply } from './contract.ts';

type Readers = Pick<Deps, 'history' | 'clock'>;

const hourMs = 3_600_000;
const longestSpanMs = 31 * 24 * hourMs;
const cursorName = 'logins';

/** @param seesStaff whether the caller may know who the device users are */
export async function listLogins(
  { history, clock }: Readers,
  { tenantId }: TenantScope,
  query: Static<typeof LoginsQuery>,
  seesStaff: boolean,
  subscriptionId?: number,
): Promise<Static<typeof LoginsReply>> {
  const { username, nas, result, reason, limit = 50, cursor } = query;
  const found = await history.logins({
    ...{ tenantId, limit: limit + 1, withoutStaff: !seesStaff },
    fromMs: query.from === undefined ? 0 : instantOf(query.from, '/from', 'query').getTime(),
    toMs: query.to === undefined ? clock.nowMs() + hourMs : instantOf(query.to, '/to', 'query').getTime(),
    ...(subscriptionId === undefined ? {} : { subscriptionId }),
    ...(username === undefined ? {} : { userName: username }),
    ...(nas === undefined ? {} : { nasId: nas }),
    ...(result === undefined ? {} : { result }),
    ...(reason === undefined ? {} : { reason }),
    ...(cursor === undefined ? {} : { after: placeOf(cursor) }),
  });
  const shown = found.logins.slice(0, limit);
  const last = shown.at(-1);
  const next = found.logins.length > limit && last ? cursorOf(last) : null;
  return { data: shown.map(show), left_out: found.leftOut, next_cursor: next };
}

/** The newest logins of one subscription; staff have none. */
export async function loginsOf(
  deps: Readers & Pick<Deps, 'db'>,
  scope: TenantScope,
  path: SubscriptionPath,
  query: Static<typeof OwnLoginsQuery>,
): Promise<Static<typeof LoginsReply>> {
  const { id } = await read(deps.db, scope, (conn) => subscriptionOf(conn, path));
  return listLogins(deps, scope, query, false, id);
}

export async function countRejects(
  { history, clock }: Readers,
  { tenantId }: TenantScope,
  { from, to, by = 'reason', limit = 20 }: Static<typeof RejectsQuery>,
  seesStaff: boolean,
): Promise<Static<typeof RejectsReply>> {
  const toMs = to === undefined ? clock.nowMs() : instantOf(to, '/to', 'query').getTime();
  const fromMs = from === undefined ? toMs - 24 * hourMs : instantOf(from, '/from', 'query').getTime();
  if (fromMs >= toMs || toMs - fromMs > longestSpanMs)
    throw new Problem('span_too_long', 'from must be before to, by 31 days at most');
  const found = await history.rejects({ tenantId, fromMs, toMs, by, keys: limit, withoutStaff: !seesStaff });
  return {
    by,
    hours: found.hours.map(({ hourMs, key, count }) => ({ hour: instant(hourMs), key, count })),
    top_user_names: found.top.map(({ userName, subscriptionId, count, reason, lastMs }) => ({
      ...{ user_name: userName, subscription_id: subscriptionId || null, count, reason },
      last_at: instant(lastMs),
    })),
    left_out: found.leftOut,
  };
}

function show(login: LoggedLogin): Static<typeof LoginsReply>['data'][number] {
  const { result, reason, method, node, worker, test } = login;
  return {
    at: instant(login.atMs),
    ...{ result, reason: reason || null, sentence: reason === '' ? null : loginSentence(reason) },
    user_name: login.userName,
    subscription_id: login.subscriptionId || null,
    nas_id: login.nasId,
    method,
    calling_station_id: login.callingStationId,
    nas_port_id: login.nasPortId,
    framed_ip: login.framedIp || null,
    outcome: login.outcome || null,
    duration_us: login.durationUs,
    ...{ node, worker, test },
  };
}

function cursorOf({ atMs, node, worker, sequence }: LoginPlace): string {
  return encodeCursor(cursorName, [String(atMs), node, String(worker), String(sequence)]);
}

function placeOf(cursor: string): LoginPlace {
  const [at, node = '', worker, sequence] = decodeCursor(cursor, cursorName, 4);
  const [atMs, workerIndex, number] = [at, worker, sequence].map(Number);
  const isSound = [atMs, workerIndex, number].every((one) => Number.isSafeInteger(one) && Number(one) >= 0);
  if (!isSound || Number(workerIndex) > 255) throw new Problem('invalid_cursor', 'the cursor is damaged');
  return { atMs: Number(atMs), node, worker: Number(workerIndex), sequence: Number(number) };
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
