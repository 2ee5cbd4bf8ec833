// Subscribers that dial in at once behind access servers that wait, repeat, give up and begin anew, and report each session when it starts.
import type { Secret } from '#aaa-server/wire/md5.ts';
import { createExchange, type ExchangeCounts, identifiers } from './exchange.ts';
import { interimLoad } from './interims.ts';
import type { StormPlan, StormProgress, StormResult, StormWindow } from './protocol.ts';
import { createStormRequests, givenBy } from './requests.ts';
import { createWheel } from './wheel.ts';

export type Clients = {
  /** The next thing that is due; false when everybody is online and reported. */
  advance(nowMs: number): boolean;
  onLoginReply(socket: number, reply: Buffer, nowMs: number): void;
  onStartReply(socket: number, reply: Buffer, nowMs: number): void;
  /** `waitingBytes`: in front of the server's sockets. */
  sample(nowMs: number, waitingBytes: number): void;
  progress(nowMs: number): StormProgress;
  result(nowMs: number): StormResult;
};

export type ClientsOptions = StormPlan & {
  readonly secret: Secret;
  sendLogin(socket: number, request: Buffer): void;
  sendStart(socket: number, request: Buffer): void;
  /** In [0, 1). */
  random(): number;
};

/** What access servers are set to: PPPoE on common ones waits 3 s and tries three times. */
const timeoutMs = 3000;
const loginTries = 3;
/** A Start is worth more than a login: nobody dials again for it. */
const startTries = 100;
/** A subscriber's device waits between half of this and all of it before it dials again, and twice as long after each attempt. */
const backOffMs = 10_000;
const longestBackOffMs = 60_000;
/** Whoever is not online by then was given up twice. */
export const twoCallsMs = 2 * timeoutMs * loginTries + backOffMs;
export const windowMs = 500;
/** An identifier of its access server is free again soon. */
const crowdedMs = 100;

/** Subscribers that one source port of an access server can serve at once, with identifiers to spare. */
export function socketsFor(subscribers: number): number {
  return Math.max(16, Math.ceil(subscribers / (identifiers * 0.75)));
}

/** Time begins when the first subscriber dials, at 0. */
export function createClients(options: ClientsOptions): Clients {
  const { subscribers, slowFrom, dialInMs, random, secret } = options;
  const sockets = socketsFor(subscribers);
  const requests = createStormRequests({ ...options, password: Buffer.from(options.password), sockets });
  // Everybody's first request is made before the storm, with the identifier that it will get.
  const first = Array.from({ length: subscribers }, (_, user) => requests.login(user, Math.floor(user / sockets)));
  const dialedAt = Float64Array.from({ length: subscribers }, () => random() * dialInMs);
  const attempts = new Uint8Array(subscribers);
  const onlineAt = new Float64Array(subscribers).fill(Number.NaN);
  const reportedAt = new Float64Array(subscribers).fill(Number.NaN);
  const interimS = new Float64Array(subscribers);
  const windows: StormWindow[] = [];
  let online = 0;
  let reported = 0;

  const again = createWheel(subscribers, 10, dial);
  const logins = createExchange({
    ...{ subscribers, sockets, secret, timeoutMs },
    tries: loginTries,
    send: options.sendLogin,
    onCrowded: (user, nowMs) => again.set(user, nowMs + crowdedMs),
    onGivenUp(user, nowMs) {
      const most = Math.min(longestBackOffMs, backOffMs * 2 ** (attempts[user] ?? 0));
      attempts[user] = (attempts[user] ?? 0) + 1;
      again.set(user, nowMs + most * (0.5 + 0.5 * random()));
    },
    onAnswered(user, reply, nowMs) {
      const given = givenBy(reply);
      online++;
      onlineAt[user] = nowMs;
      interimS[user] = given.interimS ?? 0;
      starts.begin(user, (identifier) => requests.start(user, identifier, given), nowMs);
    },
  });
  const starts = createExchange({
    ...{ subscribers, sockets, secret, timeoutMs },
    tries: startTries,
    send: options.sendStart,
    onCrowded: (user) => {
      throw new Error(`no identifier is left for the Start of user${user}`);
    },
    onGivenUp: () => undefined,
    onAnswered(user, _, nowMs) {
      reported++;
      reportedAt[user] = nowMs;
    },
  });
  for (const [user, atMs] of dialedAt.entries()) again.set(user, atMs);

  function dial(user: number, nowMs: number): void {
    const prepared = first[user];
    first[user] = Buffer.alloc(0);
    const make = (identifier: number) =>
      prepared && prepared[1] === identifier && prepared.length > 0 ? prepared : requests.login(user, identifier);
    logins.begin(user, make, nowMs);
  }

  const snapshotOf = ({ requests: sent, repeated, late }: ExchangeCounts) => ({ sent, repeated, late });
  let before = { ...snapshotOf(logins.counts), online: 0, reported: 0 };

  return {
    advance(nowMs) {
      again.advance(nowMs);
      logins.advance(nowMs);
      starts.advance(nowMs);
      return reported < subscribers;
    },
    onLoginReply: logins.onReply,
    onStartReply: starts.onReply,
    sample(nowMs, waitingBytes) {
      const last = windows.at(-1);
      if (last && nowMs < last.fromMs + windowMs) {
        last.waitingBytes = Math.max(last.waitingBytes, waitingBytes);
        return;
      }
      const now = { ...snapshotOf(logins.counts), online, reported };
      if (last) {
        last.sent = now.sent - before.sent;
        last.repeated = now.repeated - before.repeated;
        last.late = now.late - before.late;
        last.online = now.online - before.online;
        last.reported = now.reported - before.reported;
      }
      before = now;
      windows.push({ fromMs: nowMs, waitingBytes, sent: 0, repeated: 0, late: 0, online: 0, reported: 0 });
    },
    progress: (nowMs) => ({ seconds: nowMs / 1000, online, reported, asking: logins.outstanding() }),
    result(nowMs) {
      const tookMs = (user: number) => (onlineAt[user] ?? 0) - (dialedAt[user] ?? 0);
      const users = Array.from({ length: subscribers }, (_, user) => user);
      const isOnline = (user: number) => !Number.isNaN(onlineAt[user] ?? Number.NaN);
      const quick = users.filter((user) => user < slowFrom && isOnline(user));
      const slow = users.filter((user) => user >= slowFrom && isOnline(user));
      const ends = (list: readonly number[]) => list.map((user) => onlineAt[user] ?? 0);
      return {
        seconds: nowMs / 1000,
        online,
        reported,
        logins: { ...logins.counts },
        starts: { ...starts.counts },
        quick: {
          subscribers: slowFrom,
          ...spread(quick.map(tookMs)),
          ninetyPercentMs: share(ends(quick), slowFrom, 0.9),
        },
        slow: {
          subscribers: subscribers - slowFrom,
          ...spread(slow.map(tookMs)),
          ninetyPercentMs: share(ends(slow), subscribers - slowFrom, 0.9),
        },
        startMs: spread(
          users.map((user) => (reportedAt[user] ?? 0) - (onlineAt[user] ?? 0)).filter((ms) => !Number.isNaN(ms)),
        ),
        interims: interimLoad(onlineAt, interimS),
        windows: windows.slice(0, -1),
      };
    },
  };
}

function spread(values: readonly number[]): StormResult['startMs'] {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (quantile: number) => sorted[Math.max(0, Math.ceil(sorted.length * quantile) - 1)] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** When so many of all were online; null when they never were. */
function share(ends: readonly number[], all: number, wanted: number): number | null {
  return ends.toSorted((a, b) => a - b)[Math.ceil(all * wanted) - 1] ?? null;
}
