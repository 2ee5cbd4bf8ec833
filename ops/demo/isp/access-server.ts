// A simulated access server: logs subscribers in, reports what they use, obeys CoA, and restarts now and then without a word.
import { type ClientCounts, createRadiusClient } from '../radius/client.ts';
import { createDynamicServer, type DynamicCounts } from '../radius/dynamic.ts';
import type { Attribute } from '../radius/packets.ts';
import { createLife, type Phase } from './life.ts';
import { accessAttributes } from './log-in.ts';
import { createRateMeter, type RateMeter } from './meters.ts';
import { type Session, terminateCause } from './session.ts';
import { type AccountingRequest, createSessionTable, type SessionTableOptions } from './session-table.ts';
import type { Subscriber } from './subscriber.ts';
import { createTraffic } from './traffic.ts';

export type AccessServerOptions = Omit<SessionTableOptions, 'account'> & {
  readonly name: string;
  readonly address: string;
  readonly secret: string;
  /** Seconds of traffic in a second. */
  readonly factor: number;
  send(kind: 'auth' | 'acct', datagram: Buffer, left: () => void): void;
};

export type AccessServer = {
  readonly name: string;
  readonly address: string;
  readonly dynamic: DynamicCounts;
  readonly radius: ClientCounts;
  readonly bytesUp: RateMeter;
  readonly bytesDown: RateMeter;
  readonly accounting: RateMeter;
  phase(): Phase;
  sessions(): ReadonlyMap<string, Session>;
  logIn(subscriber: Subscriber): void;
  /** Loses its sessions without a Stop, soon. */
  reboot(): void;
  /** Stops every session and takes nobody any more. */
  close(): void;
  tick(nowMs: number, elapsedMs: number, activity: number): void;
  receive(kind: 'auth' | 'acct', datagram: Buffer): void;
  /** The answer to a CoA-Request or Disconnect-Request. */
  answerTo(datagram: Buffer): Buffer | undefined;
  /** Accounting records without an answer, and since when the oldest waits. */
  unanswered(): { readonly count: number; readonly sinceMs: number | null };
};

export function createAccessServer(options: AccessServerOptions): AccessServer {
  const { name, address, secret, factor, random, meters, nowMs } = options;
  const radius: ClientCounts = { requests: 0, retransmissions: 0, answers: 0, strays: 0 };
  const dynamic: DynamicCounts = { coa: 0, disconnects: 0, acked: 0, nacked: 0, repeated: 0, refused: 0 };
  const accounting = createRateMeter();
  const bytesUp = createRateMeter(2);
  const bytesDown = createRateMeter(2);
  const traffic = createTraffic({ factor, up: [bytesUp, meters.bytesUp], down: [bytesDown, meters.bytesDown] });
  let ports = 0;

  const client = (kind: 'auth' | 'acct') =>
    createRadiusClient({
      secret,
      random,
      counts: radius,
      nowMs,
      send: (datagram, left) => options.send(kind, datagram, left),
      responseMs: (code, ms) => code === 'Accounting-Request' && meters.responseMs.add(ms),
    });
  const auth = client('auth');
  const acct = client('acct');
  const self: Attribute[] = [
    ['NAS-Identifier', name],
    ['NAS-IP-Address', address],
  ];

  function account(record: AccountingRequest): void {
    acct.request({
      ...record,
      code: 'Accounting-Request',
      attributes: [...record.attributes, ...self],
      answered(reply, atMs) {
        accounting.add(1, atMs);
        meters.accounting.add(1, atMs);
        record.answered(reply, atMs);
      },
      givenUp: () => undefined,
    });
  }

  const table = createSessionTable({ ...options, account });

  const life = createLife({
    random,
    nowMs,
    waiting: () => acct.outstanding() > 0,
    loseEverything() {
      const lost = table.loseAll();
      auth.forget();
      acct.forget();
      meters.reboots++;
      meters.sessionsLost += lost;
      meters.diary.note('outage', `${name} rebooted, ${lost} sessions lost without a Stop`);
    },
    announce(eventS, acknowledged) {
      const attributes: Attribute[] = [
        ['Event-Timestamp', new Date(eventS * 1000)],
        ['Acct-Status-Type', 'Accounting-On'],
        ['Acct-Delay-Time', 0],
      ];
      account({ attributes, answered: acknowledged });
    },
  });

  const answerDynamic = createDynamicServer<Session>({
    secret,
    address,
    counts: dynamic,
    sessions: {
      find(id, userName) {
        const session = table.all().get(id);
        return session?.subscriber.userName === userName ? session : undefined;
      },
      changeRate: table.changeRate,
      end(session) {
        meters.diary.note('change', `${session.subscriber.userName} was disconnected by Lastmile`);
        table.end(session, terminateCause.adminReset);
      },
    },
  });

  function logIn(subscriber: Subscriber): void {
    const port = ++ports;
    const notIn = (afterMs: number) => {
      subscriber.state = 'offline';
      subscriber.nextLoginMs = nowMs() + afterMs * (1 + random());
    };
    subscriber.state = 'connecting';
    auth.request({
      code: 'Access-Request',
      attributes: [...accessAttributes(subscriber, port), ...self],
      transmissions: 3,
      answered(reply, atMs) {
        if (reply.code === 'Access-Accept') {
          meters.accepts++;
          meters.logins.add(1, atMs);
          table.open(subscriber, reply, port);
        } else {
          meters.rejects++;
          subscriber.mistypes = false;
          notIn(2500);
        }
      },
      givenUp() {
        if (life.phase() === 'up') meters.loginTimeouts++;
        notIn(1000);
      },
    });
  }

  return {
    name,
    address,
    dynamic,
    radius,
    bytesUp,
    bytesDown,
    accounting,
    phase: life.phase,
    sessions: table.all,
    logIn,
    reboot: life.reboot,
    close() {
      if (!life.close()) return;
      auth.forget();
      for (const session of [...table.all().values()]) table.end(session, terminateCause.nasRequest);
    },
    tick(atMs, elapsedMs, activity) {
      life.advance(atMs);
      if (life.phase() === 'up') {
        for (const session of [...table.all().values()]) {
          traffic.move(session, atMs, elapsedMs, activity);
          if (atMs >= session.endsAtMs) table.end(session, terminateCause.userRequest);
          else if (atMs >= session.nextInterimMs) table.report(session, 'Interim-Update');
        }
      }
      auth.tick(atMs);
      acct.tick(atMs);
    },
    receive(kind, datagram) {
      if (life.phase() !== 'down') (kind === 'auth' ? auth : acct).receive(datagram, nowMs());
    },
    answerTo: (datagram) => (life.phase() === 'up' ? answerDynamic(datagram, nowMs()) : undefined),
    unanswered: () => ({ count: acct.outstanding(), sinceMs: acct.waitingSinceMs() }),
  };
}
