// The sessions of a simulated access server: opened by an Access-Accept, told of in accounting, changed by CoA, ended or lost.
import { mikrotikRateLimit } from '#policy/nas/mikrotik.ts';
import { isSameSpeed, type Speed, slowerOf } from '#policy/speed.ts';
import type { Exchange } from '../radius/client.ts';
import type { Decoded } from '../radius/packets.ts';
import { between, type Random } from '../random.ts';
import { msText } from '../screen/units.ts';
import { createAddressPool } from './address-pool.ts';
import { acceptedBy } from './log-in.ts';
import type { Meters } from './meters.ts';
import { accountingAttributes, note, type Session, type StatusType, type TerminateCause } from './session.ts';
import { isOver, type Subscriber } from './subscriber.ts';

/** Sees the traffic of the sessions, as the router in front of the access server does. */
export type Tap = { opened(session: Session): void; closed(session: Session): void };

export type AccountingRequest = Pick<Exchange, 'attributes' | 'sent' | 'answered'>;

export type SessionTableOptions = {
  /** Number of the access server, from 0. */
  readonly place: number;
  /** Makes session ids of this run unlike those of any other. */
  readonly run: string;
  readonly interimMs: number;
  readonly random: Random;
  readonly meters: Meters;
  readonly tap: Tap;
  nowMs(): number;
  /** Sends an accounting record. */
  account(record: AccountingRequest): void;
};

export type SessionTable = {
  all(): ReadonlyMap<string, Session>;
  open(subscriber: Subscriber, accept: Decoded, port: number): void;
  report(session: Session, status: StatusType, cause?: TerminateCause): void;
  end(session: Session, cause: TerminateCause): void;
  /** Without a word to anybody; gives how many there were. */
  loseAll(): number;
  changeRate(session: Session, speed: Speed): void;
};

const lifeMs = { from: 45_000, to: 240_000 };
const awayMs = { from: 1500, to: 4000 };
/** After a restart of their access server nobody waits long. */
const redialMs = { from: 0, to: 3000 };

export function createSessionTable(options: SessionTableOptions): SessionTable {
  const { place, run, interimMs, random, meters, tap, nowMs, account } = options;
  const sessions = new Map<string, Session>();
  const pool = createAddressPool(place);

  function report(session: Session, status: StatusType, cause?: TerminateCause): void {
    const totals = { ...session.carried };
    session.nextInterimMs = nowMs() + interimMs * between(random, 0.75, 1.25);
    account({
      attributes: accountingAttributes(session, status, nowMs(), cause),
      sent(atMs) {
        const { subscriber } = session;
        const wasOver = isOver(subscriber);
        note(session, 'sent', totals);
        if (!wasOver && isOver(subscriber)) subscriber.crossedAtMs = atMs;
      },
      answered(_, atMs) {
        session.knownAtMs ??= atMs;
        note(session, 'acked', totals);
      },
    });
  }

  function forget(session: Session, away: { from: number; to: number }): void {
    sessions.delete(session.id);
    pool.giveBack(session.framedIp);
    tap.closed(session);
    session.subscriber.state = 'offline';
    session.subscriber.nextLoginMs = nowMs() + between(random, away.from, away.to);
  }

  return {
    all: () => sessions,
    open(subscriber, accept, port) {
      const { speed, framedIp, classes } = acceptedBy(accept);
      if (!speed) meters.diary.note('trouble', `${subscriber.userName} was accepted without a speed`);
      const session: Session = {
        id: `${run}${place.toString(16)}${port.toString(16).padStart(6, '0')}`,
        subscriber,
        framedIp: framedIp ?? pool.take(),
        port,
        classes,
        startedAtMs: nowMs(),
        knownAtMs: null,
        speed: speed ?? subscriber.tariffSpeed,
        carried: { up: 0, down: 0 },
        sent: { up: 0, down: 0 },
        acked: { up: 0, down: 0 },
        nextInterimMs: 0,
        endsAtMs: nowMs() + between(random, lifeMs.from, lifeMs.to),
      };
      sessions.set(session.id, session);
      subscriber.state = 'online';
      subscriber.throttled = isSlower(session.speed, subscriber.tariffSpeed);
      tap.opened(session);
      report(session, 'Start');
    },
    report,
    end(session, cause) {
      forget(session, awayMs);
      report(session, 'Stop', cause);
    },
    loseAll() {
      const lost = [...sessions.values()];
      for (const session of lost) forget(session, redialMs);
      return lost.length;
    },
    changeRate(session, speed) {
      const { subscriber } = session;
      const { limitBytes, crossedAtMs } = subscriber;
      const rate = mikrotikRateLimit(speed);
      if (limitBytes !== null && crossedAtMs !== null && !subscriber.throttled && isSlower(speed, session.speed)) {
        const lagMs = nowMs() - crossedAtMs;
        meters.crossings++;
        meters.lagMs.add(lagMs);
        const crossed = `${subscriber.userName} crossed ${limitBytes / 1e9} GB`;
        meters.diary.note('crossing', `${crossed} → ${rate} in ${msText(lagMs)}`);
      } else meters.diary.note('change', `${subscriber.userName} has ${rate} now`);
      session.speed = speed;
      subscriber.throttled = isSlower(speed, subscriber.tariffSpeed);
    },
  };
}

function isSlower(speed: Speed, than: Speed): boolean {
  return !isSameSpeed(slowerOf(speed, than), than);
}
