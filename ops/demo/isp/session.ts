// A session of a simulated access server: its counters, its speed, and the attributes that tell of it (RFC 2866, 2869).
import type { Speed } from '#policy/speed.ts';
import type { Attribute } from '../radius/packets.ts';
import { addBytes, type ByteCount, type Subscriber } from './subscriber.ts';

export type Session = {
  readonly id: string;
  readonly subscriber: Subscriber;
  readonly framedIp: string;
  readonly port: number;
  /** As the Access-Accept gave it. */
  readonly classes: readonly Buffer[];
  readonly startedAtMs: number;
  /** When its Start was acknowledged: Lastmile knows since then who has the address. */
  knownAtMs: number | null;
  speed: Speed;
  /** Totals: carried, told in some record, told in an acknowledged one. */
  readonly carried: ByteCount;
  readonly sent: ByteCount;
  readonly acked: ByteCount;
  nextInterimMs: number;
  /** The subscriber hangs up then. */
  endsAtMs: number;
};

export type StatusType = 'Start' | 'Interim-Update' | 'Stop';
export const terminateCause = { userRequest: 1, adminReset: 6, nasRequest: 10 } as const;
export type TerminateCause = (typeof terminateCause)[keyof typeof terminateCause];

const gigaword = 2 ** 32;

export function carry(session: Session, bytes: Readonly<ByteCount>): void {
  addBytes(session.carried, bytes);
  addBytes(session.subscriber.carried, bytes);
}

/** Notes that a record with these totals was sent or acknowledged; older totals that come late change nothing. */
export function note(session: Session, what: 'sent' | 'acked', totals: ByteCount): void {
  for (const direction of ['up', 'down'] as const) {
    const more = totals[direction] - session[what][direction];
    if (more <= 0) continue;
    session[what][direction] += more;
    session.subscriber[what][direction] += more;
  }
}

/** What every record tells, in the order RouterOS tells it. The time of the event is whole seconds: a Stop's is never before its last byte. */
export function accountingAttributes(
  session: Session,
  status: StatusType,
  nowMs: number,
  cause?: TerminateCause,
): Attribute[] {
  const { subscriber, carried } = session;
  const eventS = status === 'Stop' ? Math.ceil(nowMs / 1000) : Math.floor(nowMs / 1000);
  const counters: Attribute[] = [
    ['Acct-Session-Time', Math.round((nowMs - session.startedAtMs) / 1000)],
    ['Acct-Input-Octets', carried.up % gigaword],
    ['Acct-Input-Gigawords', Math.floor(carried.up / gigaword)],
    ['Acct-Output-Octets', carried.down % gigaword],
    ['Acct-Output-Gigawords', Math.floor(carried.down / gigaword)],
  ];
  return [
    ['Service-Type', 'Framed-User'],
    ['Framed-Protocol', 'PPP'],
    ['NAS-Port', session.port],
    ['NAS-Port-Type', 'Ethernet'],
    ['User-Name', subscriber.userName],
    ['Calling-Station-Id', subscriber.mac],
    ['Called-Station-Id', 'pppoe'],
    ['NAS-Port-Id', `ether2-vlan${100 + (session.port % 50)}`],
    ...session.classes.map((value): Attribute => ['Class', value]),
    ['Acct-Session-Id', session.id],
    ['Framed-IP-Address', session.framedIp],
    ['Acct-Authentic', 'RADIUS'],
    ['Event-Timestamp', new Date(eventS * 1000)],
    ...(status === 'Start' ? [] : counters),
    ...(cause === undefined ? [] : ([['Acct-Terminate-Cause', cause]] as const)),
    ['Acct-Status-Type', status],
    ['Acct-Delay-Time', 0],
  ];
}
