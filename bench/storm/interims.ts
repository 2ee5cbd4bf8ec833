// How the interim reports of sessions that began together come in afterwards: the busiest second against the average one.

export type InterimLoad = {
  /** Seconds between two reports of a session, as the server told them. */
  readonly leastS: number;
  readonly mostS: number;
  readonly meanPerSecond: number;
  /** In the first round of reports, and in the one after an hour. */
  readonly busiestFirst: number;
  readonly busiestAfterAnHour: number;
};

const hourS = 3600;

/** @param onlineAt ms, NaN for who is not online; @param interimS 0 for who was told none */
export function interimLoad(onlineAt: Float64Array, interimS: Float64Array): InterimLoad | null {
  const sessions = [...onlineAt.keys()].filter((user) => !Number.isNaN(onlineAt[user]) && (interimS[user] ?? 0) > 0);
  if (sessions.length === 0) return null;
  const intervals = sessions.map((user) => interimS[user] ?? 0);
  const longest = intervals.reduce((most, interval) => Math.max(most, interval), 0);
  const least = intervals.reduce((found, interval) => Math.min(found, interval), longest);
  const last = sessions.reduce((found, user) => Math.max(found, onlineAt[user] ?? 0), 0) / 1000;
  const perSecond = new Uint32Array(Math.ceil(hourS + last + 2 * longest) + 1);
  for (const [place, user] of sessions.entries()) {
    const interval = intervals[place] ?? 0;
    for (let at = (onlineAt[user] ?? 0) / 1000 + interval; at < perSecond.length; at += interval) {
      const second = Math.floor(at);
      perSecond[second] = (perSecond[second] ?? 0) + 1;
    }
  }
  const busiest = (from: number, to: number) =>
    perSecond.subarray(Math.floor(from), Math.ceil(to)).reduce((most, count) => Math.max(most, count), 0);
  return {
    leastS: least,
    mostS: longest,
    meanPerSecond: intervals.reduce((sum, interval) => sum + 1 / interval, 0),
    busiestFirst: busiest(0, last + longest),
    busiestAfterAnHour: busiest(hourS, hourS + longest),
  };
}
