// Accounting-Requests of sessions that start, report and stop, every record another one; with Class as a login would have given it.
import { attribute } from '#aaa-server/wire/attributes.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code } from '#aaa-server/wire/packet.ts';
import { strideOver } from './access-packets.ts';
import { addAccessServer, addStation, subscriberAddress } from './access-server.ts';
import { type Accounts, loginClass } from './login-class.ts';
import type { MakePacket } from './packet-store.ts';

export type AccountingPackets = Accounts & {
  readonly secret: string;
  readonly perLine: number;
  /** whole: Start, two interims, Stop. starts: sessions that stay open. */
  readonly sessions: 'whole' | 'starts';
  /** Begins the id of every session: no two runs have one in common. */
  readonly run: string;
  /** Which sessions come before those of this run, so that it meets other subscribers. */
  readonly firstSession: number;
  /** Instant of every Start. */
  readonly startedAtS: number;
};

/** Of a whole session: Start, two interims, Stop. */
export const recordsPerSession = 4;
const interimS = 300;
const status = { start: 1, stop: 2, interim: 3 } as const;
const userRequest = 1;
const radius = 1;
/** Far below any fair-use threshold: nothing is enforced in this load. */
const bytesPerRecord = { up: 1_000_003, down: 7_000_009 } as const;

export function accountingPackets(options: AccountingPackets): MakePacket {
  const { perLine, run, firstSession, subscriptionIds, startedAtS } = options;
  const secret = createSecret(Buffer.from(options.secret));
  const classOf = loginClass(options);
  const builder = createPacketBuilder();
  const each = options.sessions === 'whole' ? recordsPerSession : 1;
  const sessionsPerLine = Math.ceil(perLine / each);
  let lastSession = -1;
  let lastClass: Buffer = Buffer.alloc(0);

  return ({ line, round, socket, identifier }, target, at) => {
    const session = firstSession + line * sessionsPerLine + Math.floor(round / each);
    const step = round % each;
    const user = strideOver(session, subscriptionIds.length);
    if (session !== lastSession) lastClass = classOf(user);
    lastSession = session;
    builder.begin(code.accountingRequest, identifier);
    builder.messageAuthenticator();
    builder.add(attribute.acctStatusType, statusOf(step));
    builder.add(attribute.acctSessionId, `${run}-${session}`);
    builder.add(attribute.userName, `user${user}`);
    addAccessServer(builder, socket, line);
    addStation(builder, user);
    builder.add(attribute.framedIpAddress, subscriberAddress(user));
    builder.add(attribute.acctAuthentic, radius);
    builder.add(attribute.eventTimestamp, startedAtS + step * interimS);
    builder.add(attribute.class, lastClass);
    if (step > 0) addCounters(builder, step);
    if (!builder.finishRequest(secret)) throw new Error('an Accounting-Request is too long');
    builder.data.copy(target, at, 0, builder.length());
    return step === 0 ? { length: builder.length(), up: 0, down: 0 } : { length: builder.length(), ...bytesPerRecord };
  };
}

function statusOf(step: number): number {
  if (step === 0) return status.start;
  return step === recordsPerSession - 1 ? status.stop : status.interim;
}

function addCounters(builder: PacketBuilder, step: number): void {
  builder.add(attribute.acctSessionTime, step * interimS);
  builder.add(attribute.acctInputOctets, step * bytesPerRecord.up);
  builder.add(attribute.acctOutputOctets, step * bytesPerRecord.down);
  builder.add(attribute.acctInputGigawords, 0);
  builder.add(attribute.acctOutputGigawords, 0);
  builder.add(attribute.acctInputPackets, step * 1000);
  builder.add(attribute.acctOutputPackets, step * 6000);
  if (step === recordsPerSession - 1) builder.add(attribute.acctTerminateCause, userRequest);
}
