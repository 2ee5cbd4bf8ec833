// What the API needs of the history in ClickHouse. Tests may give it in memory.
import { ClickHouseError } from '@clickhouse/client';
import {
  type LoginPage,
  type LoginsQuery,
  type RejectCounts,
  type RejectsQuery,
  readLogins,
  readRejects,
} from '#ops/history/logins.ts';
import { readTopTalkers, type TopTalker, type TopTalkersQuery } from '#ops/history/top-talkers.ts';
import { readWindowSums, type WindowSum, type WindowSumsQuery } from '#ops/history/window-sums.ts';
import { type ClickHouseClient, clickHouseFailure } from '#ops/stores/clickhouse.ts';
import { Problem } from './problem.ts';

export type History = {
  /** Bytes of each window, where there are some. */
  windowSums(query: WindowSumsQuery): Promise<readonly WindowSum[]>;
  /** The subscriptions with the most bytes of flows, most first. */
  topTalkers(query: TopTalkersQuery): Promise<readonly TopTalker[]>;
  /** The auth log, newest first. */
  logins(query: LoginsQuery): Promise<LoginPage>;
  rejects(query: RejectsQuery): Promise<RejectCounts>;
};

/** Without a client every call is refused as `history_unavailable`. */
export function createHistory(client: ClickHouseClient | undefined): History {
  async function ask<T>(question: (client: ClickHouseClient) => Promise<T>): Promise<T> {
    if (!client) throw new Problem('history_unavailable', 'no ClickHouse is configured');
    try {
      return await question(client);
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      throw new Problem('history_unavailable', 'the history does not answer', [], error);
    }
  }

  return {
    windowSums: (query) => ask((client) => readWindowSums(client, query)),
    topTalkers: (query) => ask((client) => readTopTalkers(client, query)),
    logins: (query) => ask((client) => readLogins(client, query)),
    rejects: (query) => ask((client) => readRejects(client, query)),
  };
}

/** UNKNOWN_TABLE, UNKNOWN_DATABASE, ACCESS_DENIED, AUTHENTICATION_FAILED: its operator is not done with it. */
const unfinished = new Set(['60', '81', '497', '516']);

function isUnavailable(error: unknown): boolean {
  return clickHouseFailure(error) === 'away' || (error instanceof ClickHouseError && unfinished.has(error.code));
}
