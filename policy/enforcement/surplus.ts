// Sessions beyond the limit of a subscription: the newest logins keep theirs.

export type CountedSession = {
  readonly startedAtMs: number;
  readonly nasInstance: string;
  /** Sessions of one login share it: services beside the session, accounting sent twice. '' tells nothing. */
  readonly classUuid: string;
  /** Nothing was heard of it for long: its device may be gone. */
  readonly silent?: boolean;
};

/**
 * What is to end so that no more than `limit` logins are open; 0: nothing is. Those that went silent end before any that report, so that
 * no dead session costs a living one its place. A session without a Class may be a service beside
 * another one of its access server: such two do not count against each other.
 */
export function surplusOf<T extends CountedSession>(sessions: readonly T[], limit: number): T[] {
  const logins = new Map<string | T, T[]>();
  for (const session of sessions) {
    const login = session.classUuid === '' ? session : session.classUuid;
    if (!logins.get(login)?.push(session)) logins.set(login, [session]);
  }
  const begin = (login: readonly T[]) => Math.min(...login.map(({ startedAtMs }) => startedAtMs));
  const rank = (login: readonly T[]) => (login.every(({ silent }) => silent) ? 1 : 0);
  const [newest, ...others] = [...logins.values()].sort((a, b) => rank(a) - rank(b) || begin(b) - begin(a));
  if (limit === 0 || !newest) return [];
  const beside = (a: T, b: T) => a.nasInstance === b.nasInstance && (a.classUuid === '' || b.classUuid === '');
  return others
    .filter((login) => !login.some((session) => newest.some((other) => beside(session, other))))
    .slice(limit - 1)
    .flat();
}
