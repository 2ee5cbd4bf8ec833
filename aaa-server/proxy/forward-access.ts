// Forwards Access-Requests to the home servers of their realm and brings back what they answer (RFC 2865 §2.3, RFC 5080 §2.2).
import { longestForwardMs } from '#policy/access/login-patience.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import { microsoft } from '../auth/mppe.ts';
import type { NasClient } from '../auth/nas-table.ts';
import { isReadable } from '../auth/pap.ts';
import { dropped, refused } from '../auth/proof.ts';
import type { Counters, DropReason } from '../counters.ts';
import type { LoginLog } from '../login-log/log.ts';
import type { AnswerLabel, Answers } from '../radius/answers.ts';
import type { Entry } from '../radius/duplicates.ts';
import { noteLogin } from '../radius/maker.ts';
import type { RadiusRequest } from '../radius/request.ts';
import { attribute, firstAttribute, firstVendorAttribute, octetsAt, textOf, vendor } from '../wire/attributes.ts';
import { authenticatorOffset } from '../wire/authenticators.ts';
import type { Secret } from '../wire/md5.ts';
import { code, copyPacket, type Packet } from '../wire/packet.ts';
import { createSalts } from '../wire/salted.ts';
import { revealPassword } from '../wire/user-password.ts';
import { createBegunLogins } from './begun-logins.ts';
import { inTurn } from './choose.ts';
import type { Exchange, HomePort } from './home-port.ts';
import type { RadiusProxy } from './proxy.ts';
import type { InRealm } from './realms.ts';
import { translateReply } from './replies.ts';
import { forwardedAccess, passwordProblem } from './requests.ts';

export type ForwardAccess = {
  /** Why the request gets no answer, or null. `proven`: the secret its Message-Authenticator proved. */
  handle(request: RadiusRequest, proven: Secret | null, to: InRealm): DropReason | null;
  pending(): number;
  /** Whether a home server has lately given that State to this access server. */
  goesOn(state: Buffer, nasId: number): boolean;
  /** Settles when every forwarded login is answered or given up; after `withinMs` all are. */
  drain(withinMs?: number): Promise<void>;
};

export type ForwardAccessDeps = {
  readonly proxy: Pick<RadiusProxy, 'ports' | 'mark' | 'metrics'>;
  readonly answers: Answers;
  readonly counters: Counters;
  readonly loginLog?: LoginLog | undefined;
  monotonicMs(): number;
};

/** Logins forwarded and not answered at the same time; more than these go unanswered. */
const mostPending = 16_384;
const drainMs = 3000;

const labels = new Map<number, AnswerLabel>([
  [code.accessAccept, 'access_accept'],
  [code.accessReject, 'access_reject'],
  [code.accessChallenge, 'access_challenge'],
]);

/** A login that is under way at a home server. */
type Pending = { exchange: Exchange | undefined; giveUp(): void };

export function createForwardAccess({
  proxy,
  answers,
  counters,
  loginLog,
  monotonicMs,
}: ForwardAccessDeps): ForwardAccess {
  const pending = new Map<Entry, Pending>();
  const nextSalt = createSalts(Math.random);
  const begun = createBegunLogins();
  let drained: (() => void) | undefined;

  function begin(
    received: RadiusRequest,
    proven: Secret | null,
    { realm, user }: InRealm,
    entry: Entry,
  ): DropReason | null {
    const secret = proven ?? likeliestSecret(received.packet, received.client);
    const { record, tenantId, allow } = realm;
    const homes = inTurn(proxy.ports(tenantId, record.homeServerIds, 'auth'), record.choice, () =>
      who(received.packet),
    );
    const ofRealm = { tenant: String(tenantId), realm: record.name };
    if (homes.length === 0 && record.unreachable === 'silence') {
      proxy.metrics.unserved.inc({ ...ofRealm, answer: 'silence' });
      loginLog?.note(received, dropped('proxy_unreachable'));
      return 'proxy_unreachable';
    }
    const { peer, socket } = received;
    const request: RadiusRequest = {
      ...received,
      packet: copyPacket(received.packet),
      reply: (data, start, length) => socket.send(peer, data, start, length),
    };
    const { packet } = request;
    const userName = record.stripUserName && mayBeStripped(packet) ? user : undefined;
    const one: Pending = { exchange: undefined, giveUp: () => unserved('silence') };
    let next = 0;
    let tried: 'unreachable' | 'busy' | 'too_long' = 'unreachable';

    function done(): void {
      pending.delete(entry);
      if (pending.size === 0) drained?.();
    }

    function answer(
      replyCode: number,
      attributes: readonly NasAttribute[],
      reason: 'home_server_rejected' | 'home_server_unreachable' = 'home_server_rejected',
    ): void {
      done();
      const label = labels.get(replyCode);
      if (!label || !answers.build(request, replyCode, secret, attributes)) {
        answers.giveUp(request, entry, 'reply_too_long');
        return;
      }
      answers.sendLater(request, entry, answers.copy(), label);
      if (label === 'access_accept') {
        if (!proven && hasPassword(packet)) teach(request, secret);
        loginLog?.note(request, { kind: 'accept', attributes, secret, byPassword: false });
      }
      if (label === 'access_challenge') {
        const state = attributes.find(({ vendor, type }) => vendor === 0 && type === attribute.state)?.value;
        if (state instanceof Buffer) begun.add(request.client.record.id, state);
      }
      if (label === 'access_reject') {
        counters.count('rejects', reason);
        request.activity.rejected++;
        loginLog?.note(request, refused(reason, secret));
      }
    }

    function unserved(by: 'silence' | 'reject'): void {
      one.exchange?.cancel();
      proxy.metrics.unserved.inc({ ...ofRealm, answer: by });
      if (by === 'reject') {
        answer(code.accessReject, eapFailure(packet), 'home_server_unreachable');
        return;
      }
      done();
      loginLog?.note(request, dropped(`proxy_${tried}`));
      answers.giveUp(request, entry, `proxy_${tried}`);
    }

    function askNext(): void {
      for (; next < homes.length && monotonicMs() - request.startedMs < longestForwardMs; ) {
        const home = homes[next++] as HomePort;
        // It may have died since the order was made.
        if (home.state() === 'dead') continue;
        const asked = home.ask(
          (identifier) =>
            forwardedAccess(packet, secret, {
              identifier,
              secret: home.secret,
              mark: proxy.mark.of(tenantId),
              userName,
            }),
          {
            reply(reply, sent) {
              const { attributes, leftOut } = translateReply(
                reply,
                allow,
                { secret: home.secret, data: sent, start: 0 },
                { secret, data: packet.data, start: packet.start },
                nextSalt,
              );
              if (leftOut > 0) proxy.metrics.leftOut.inc(ofRealm, leftOut);
              answer(reply.code, attributes);
            },
            silent: askNext,
          },
        );
        if (typeof asked !== 'string') {
          one.exchange = asked;
          return;
        }
        tried = asked === 'full' ? 'busy' : asked;
        // A packet that is too long for one is too long for all.
        if (asked === 'too_long') break;
      }
      one.exchange = undefined;
      unserved(tried === 'unreachable' ? record.unreachable : 'silence');
    }

    pending.set(entry, one);
    askNext();
    return null;
  }

  return {
    handle(request, proven, to) {
      const { packet, activity } = request;
      activity[proven ? 'proven' : 'unproven']++;
      return answers.once(
        request,
        (entry) => {
          const malformed = passwordProblem(packet);
          if (malformed) return malformed;
          const reason = proxy.mark.whyNot(packet, to.realm.tenantId);
          if (reason) return reason;
          if (pending.size >= mostPending) return 'proxy_busy';
          return begin(request, proven, to, entry);
        },
        (entry) => pending.get(entry)?.exchange?.again(),
      );
    },
    pending: () => pending.size,
    goesOn: (state, nasId) => begun.has(nasId, state),
    async drain(withinMs = drainMs) {
      if (pending.size === 0) return;
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([
        new Promise<void>((resolve) => {
          drained = resolve;
        }),
        new Promise<void>((resolve) => {
          timer = setTimeout(resolve, withinMs);
        }),
      ]);
      clearTimeout(timer);
      for (const one of [...pending.values()]) one.giveUp();
    },
  };
}

/** Of a request that proves none: the one under which its password can be read, the one that was right last before the others. */
function likeliestSecret(packet: Packet, { record, secrets, lastVerified }: NasClient): Secret {
  const last = secrets[lastVerified] ?? secrets[0];
  if (!last) throw new Error(`NAS ${record.id} has no secret`);
  const at = firstAttribute(packet, attribute.userPassword);
  if (at < 0 || secrets.length === 1) return last;
  const hides = (secret: Secret) => {
    const password = revealPassword(octetsAt(packet, at), secret, packet.data, packet.start + authenticatorOffset);
    return password !== undefined && isReadable(password);
  };
  return hides(last) ? last : (secrets.find(hides) ?? last);
}

/** A home server found the password right that this secret revealed: what that says of the access server (`auto`, a rotation). */
function teach(request: RadiusRequest, secret: Secret): void {
  const { packet, client } = request;
  noteLogin(request, secret);
  if (firstAttribute(packet, attribute.userPassword) >= 0) client.lastVerified = client.secrets.indexOf(secret);
}

/** Without one the Accept says nothing of who sent the request. */
function hasPassword(packet: Packet): boolean {
  return (
    firstAttribute(packet, attribute.userPassword) >= 0 ||
    firstAttribute(packet, attribute.chapPassword) >= 0 ||
    firstVendorAttribute(packet, vendor.microsoft, microsoft.chapChallenge) >= 0
  );
}

/** Whose conversation a request belongs to: the same in each of its packets. */
function who(packet: Packet): string {
  const line =
    textOf(packet, attribute.callingStationId, 'latin1') ??
    textOf(packet, attribute.nasPortId, 'latin1') ??
    textOf(packet, attribute.nasPort, 'latin1');
  return `${textOf(packet, attribute.userName) ?? ''}/${line ?? ''}`;
}

/** What EAP and MS-CHAP prove is tied to the name as the device wrote it (RFC 3579 §2.1, RFC 2759 §4). */
function mayBeStripped(packet: Packet): boolean {
  return !packet.hasEap && firstVendorAttribute(packet, vendor.microsoft, microsoft.chapChallenge) < 0;
}

/** EAP-Failure, when it was EAP (RFC 3579 §2.6.3). */
function eapFailure(packet: Packet): NasAttribute[] {
  const at = packet.hasEap ? firstAttribute(packet, attribute.eapMessage) : -1;
  if (at < 0) return [];
  const identifier = octetsAt(packet, at)[1] ?? 0;
  return [{ vendor: 0, type: attribute.eapMessage, value: Buffer.of(4, identifier, 0, 4) }];
}
