// Sessions beyond the limit of a subscription: the newest logins keep theirs.

export type CountedSession = {
  readonly startedAtMs: number;
  /** Sessions of one login share it: services beside the session, accounting sent twice. '' tells nothing. */
  readonly classUuid: string;
};

/** What is to end so that no more than `limit` logins are open; 0: nothing is. */
export function surplusOf<T extends CountedSession>(sessions: readonly T[], limit: number): T[] {
  if (limit === 0) return [];
  const logins = new Map<string | T, T[]>();
  for (const session of sessions) {
    const login = session.classUuid === '' ? session : session.classUuid;
    if (!logins.get(login)?.push(session)) logins.set(login, [session]);
  }
  const begin = (login: readonly T[]) => Math.min(...login.map(({ startedAtMs }) => startedAtMs));
  return [...logins.values()]
    .sort((a, b) => begin(b) - begin(a))
    .slice(limit)
    .flat();
}
