// Subscribers who use more than their tariff allows: their sessions start, report, and are watched until the access server is told.
import type { Received, ScriptedNas } from '#test/aaa-server/enforcement/scripted-nas.ts';
import { createAccountingClient } from '#test/support/accounting-client.ts';
import { until } from '#test/support/wait.ts';
import { type Accounts, loginClass } from '../load/login-class.ts';

export type Crossing = {
  readonly user: number;
  /** From the packet that reports too much to the CoA-Request that slows the session down. */
  readonly lagMs: number;
};

export type CrossersOptions = {
  readonly acctPort: number;
  readonly secret: string;
  readonly accounts: Accounts;
  readonly users: readonly number[];
  /** Begins the session ids. */
  readonly run: string;
  readonly nas: ScriptedNas;
};

export type Crossers = {
  /** All sessions are open. */
  start(): Promise<void>;
  /** One after the other reports more than the threshold; resolves when the access server was told of each. */
  cross(perSecond: number): Promise<Crossing[]>;
  close(): void;
};

/** The seed's tariffs slow down to this at 10 GB a day. */
const slowed = '2M/2M';
const reportedGigawords = 2;
const reportedOctets = 2_410_065_408;
const sessionS = 10;
const toldWithinMs = 120_000;

export function createCrossers({ acctPort, secret, accounts, users, run, nas }: CrossersOptions): Crossers {
  const client = createAccountingClient(acctPort, secret);
  const classOf = loginClass(accounts);
  const classes = new Map(users.map((user) => [user, classOf(user)]));
  const sessionOf = (user: number) => `${run}-${user}`;
  const sessions = new Set(users.map(sessionOf));
  const toldAt = new Map<string, number>();

  nas.answer = ({ kind, sessionId, rate }: Received) => {
    // Other sessions of the same subscribers are slowed down too.
    const isOurs = kind === 'coa' && rate === slowed && sessions.has(sessionId);
    if (isOurs && !toldAt.has(sessionId)) toldAt.set(sessionId, performance.now());
    return 'ack';
  };

  async function report(user: number, status: string, more: readonly (readonly [string, string | number])[]) {
    const loginOf = classes.get(user);
    const answered = await client.send([
      ['Acct-Status-Type', status],
      ['Acct-Session-Id', sessionOf(user)],
      ['User-Name', `user${user}`],
      ['NAS-Identifier', 'bench-crossers'],
      ...(loginOf ? [['Class', loginOf] as const] : []),
      ...more,
    ]);
    if (!answered) throw new Error(`the ${status} of user${user} got no answer`);
  }

  return {
    async start() {
      for (const user of users) await report(user, 'Start', [['Acct-Session-Time', 0]]);
    },
    async cross(perSecond) {
      const reportedAt = new Map<number, number>();
      const reports: Promise<void>[] = [];
      const from = performance.now();
      for (const [index, user] of users.entries()) {
        await until(() => performance.now() >= from + (index * 1000) / perSecond, 'the next one is due', toldWithinMs);
        reportedAt.set(user, performance.now());
        const counters = [
          ['Acct-Session-Time', sessionS],
          ['Acct-Input-Octets', 0],
          ['Acct-Input-Gigawords', 0],
          ['Acct-Output-Octets', reportedOctets],
          ['Acct-Output-Gigawords', reportedGigawords],
        ] as const;
        reports.push(report(user, 'Interim-Update', counters));
      }
      await Promise.all(reports);
      await until(
        () => toldAt.size >= users.length,
        () => `${users.length} sessions are slowed down, ${toldAt.size} are`,
        toldWithinMs,
      );
      return users.map((user) => ({
        user,
        lagMs: (toldAt.get(sessionOf(user)) ?? Number.NaN) - (reportedAt.get(user) ?? Number.NaN),
      }));
    },
    close: client.close,
  };
}
