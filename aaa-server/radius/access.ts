// Answers Access-Requests: at once, when the decision comes, or after the delay of a reject.
import { createCredentials } from '../auth/credentials.ts';
import { createDeviceAttempts } from '../auth/device-attempts.ts';
import { createDeviceLogins } from '../auth/device-logins.ts';
import { createDeviceUsers } from '../auth/device-users.ts';
import { createEap } from '../auth/eap/eap.ts';
import { createEapStates } from '../auth/eap/states.ts';
import type { NasClient } from '../auth/nas-table.ts';
import { createPasswords } from '../auth/passwords.ts';
import { createProven, createProvenPlaces } from '../auth/proven.ts';
import { createSlowHashes } from '../auth/slow-hashes.ts';
import type { DropReason } from '../counters.ts';
import { createForwardAccess } from '../proxy/forward-access.ts';
import { attribute, firstAttribute, octetsAt } from '../wire/attributes.ts';
import { code, copyPacket, type Packet } from '../wire/packet.ts';
import type { Standing } from './admission.ts';
import type { Answers } from './answers.ts';
import { createDelayedRejects } from './delayed-rejects.ts';
import type { Entry } from './duplicates.ts';
import { decideLogin, isKeptAway, type LoginDecision } from './login.ts';
import { makerOf, noteLogin } from './maker.ts';
import type { RadiusDeps, RadiusRequest } from './request.ts';

export type Access = {
  /** Why the request gets no answer, or null. */
  handle(request: RadiusRequest): DropReason | null;
  /** Logins whose decision is awaited. */
  deciding(): number;
  /** Logins that take several rounds and are likely to go on. */
  conversing(): number;
  /** Sends waiting rejects at once and settles when every login in progress is answered or given up. */
  drain(): Promise<void>;
};

/** Logins that wait for something at the same time; more than these go unanswered. */
const mostDeciding = 8192;
const replyCodes = { accept: code.accessAccept, reject: code.accessReject, challenge: code.accessChallenge } as const;

export function createAccess(deps: RadiusDeps, answers: Answers): Access {
  const { snapshot, keyring, clock, counters, rejectDelayMs, later, authorize, refusedAnswer, remembered, loginLog } =
    deps;
  const credentials = createCredentials({
    snapshot,
    passwords: createPasswords(keyring),
    proven: createProven(deps.proven ?? createProvenPlaces()),
    slowHashes: createSlowHashes({
      ...deps,
      isFlooded: () => deps.admission?.isFlooded?.(clock.monotonicMs()) ?? false,
    }),
    warn: deps.warn,
  });
  const states = createEapStates({ key: keyring.derive('eap-state'), ...deps.eap });
  const eap = createEap({ ...deps.eap, credentials, states, clock, counters, later });
  const deviceLogins = createDeviceLogins({
    ...{ users: createDeviceUsers(snapshot), credentials, attempts: createDeviceAttempts(clock), clock, counters },
    classKey: keyring.derive('class'),
  });
  const loginDeps = {
    snapshot,
    credentials,
    eap,
    authorize,
    clock,
    deviceLogins,
    ...(refusedAnswer ? { refusedAnswer } : {}),
    ...(remembered ? { remembered } : {}),
  };
  const rejects = createDelayedRejects({ delayMs: rejectDelayMs, monotonicMs: clock.monotonicMs, later });
  let deciding = 0;
  let whenDecided: (() => void) | undefined;
  const { proxy } = deps;
  const forwarding =
    proxy && createForwardAccess({ proxy, answers, counters, loginLog, monotonicMs: clock.monotonicMs });

  /** Whatever its realm: a login to the device itself, or at an access server that is drained. */
  function isDecidedHere({ packet, client }: RadiusRequest): boolean {
    return isKeptAway(packet, client) || deviceLogins.concerns(packet, client);
  }

  /** Whether it is the next request of a login that was begun here, or by a home server. */
  function goesOn(packet: Packet, { record }: NasClient): boolean {
    const at = firstAttribute(packet, attribute.state);
    if (at < 0) return false;
    const state = octetsAt(packet, at);
    return (
      states.decode(state, record.id, clock.nowMs()) !== undefined || forwarding?.goesOn(state, record.id) === true
    );
  }

  /** Of the request that is let in or not. */
  let asking: RadiusRequest | undefined;
  const standing: Standing = {
    goesOn: () => asking !== undefined && goesOn(asking.packet, asking.client),
    isRepeated: () => asking !== undefined && answers.knows(asking),
  };

  function handOver({ packet, client, peer, socketIndex, handOver }: RadiusRequest, leader: number): void {
    const data = new Uint8Array(packet.data.subarray(packet.start, packet.end));
    if (handOver) handOver(leader, data, client);
    else deps.handOver(leader, { data, peer, socketIndex });
    counters.count('eap', 'handed_over');
  }

  /** Goes on with a copy of the request: the driver uses its memory again. */
  function answerWhenDecided(request: RadiusRequest, entry: Entry, decision: Promise<LoginDecision>): void {
    const { peer, socket } = request;
    const reply: RadiusRequest['reply'] = (data, start, length) => socket.send(peer, data, start, length);
    const packet = copyPacket(request.packet);
    const kept = { ...request, packet, check: undefined, answeredWith: 'turn', reply } as const;
    deciding++;
    const end = (reason: DropReason | null) => {
      if (reason) answers.giveUp(request, entry, reason);
      if (--deciding === 0) whenDecided?.();
    };
    decision
      .then((decided) => end(answer(kept, entry, decided)))
      .catch((error) => {
        undecided(request, error);
        end('handler_error');
      });
  }

  function answer(request: RadiusRequest, entry: Entry, decision: LoginDecision): DropReason | null {
    const { kind } = decision;
    if (kind === 'drop') {
      loginLog?.note(request, decision);
      return decision.reason;
    }
    const encoded = kind === 'accept' ? decision.encoded : undefined;
    if (!answers.build(request, replyCodes[kind], decision.secret, decision.attributes, encoded))
      return 'reply_too_long';
    counters.observe('access', (clock.monotonicMs() - request.startedMs) / 1000);
    loginLog?.note(request, decision);
    if (kind === 'accept' && decision.byPassword) noteLogin(request, decision.secret);
    if (kind !== 'reject') {
      answers.send(request, kind === 'accept' ? 'access_accept' : 'access_challenge', entry);
      return null;
    }
    counters.count('rejects', decision.reason);
    request.activity.rejected++;
    if (decision.likelyWrongSecret) counters.count('signs', 'likely_wrong_secret');
    const reply = answers.copy();
    const waited = rejects.add(() => answers.sendLater(request, entry, reply, 'access_reject'));
    if (!waited && rejectDelayMs > 0) counters.count('signs', 'reject_delay_full');
    return null;
  }

  const undecided = ({ peer }: RadiusRequest, error: unknown) =>
    deps.warn('a login could not be decided', { err: error, source: peer.address });

  return {
    handle(request) {
      const { packet, client, activity } = request;
      counters.count('requests', 'access');
      activity.access++;
      asking = request;
      if (deps.admission?.admits(request.startedMs, standing) === false) return 'overload';
      const verified = makerOf(request);
      if (!verified.ok) return verified.reason;
      const realm = proxy?.realmOfLogin(client.record.tenantId, packet);
      if (realm && forwarding && !isDecidedHere(request)) return forwarding.handle(request, verified.secret, realm);
      const leader = eap.leaderOf(packet, client.record);
      if (leader !== undefined) {
        handOver(request, leader);
        return null;
      }
      activity[verified.secret ? 'proven' : 'unproven']++;
      if (!snapshot.complete()) return 'snapshot_incomplete';
      return answers.once(request, (entry) => {
        const decision = decideLogin(loginDeps, packet, client, verified.secret, request.check);
        if (!(decision instanceof Promise)) return answer(request, entry, decision);
        if (deciding >= mostDeciding) {
          decision.catch((error) => undecided(request, error));
          return 'too_many_in_progress';
        }
        answerWhenDecided(request, entry, decision);
        return null;
      });
    },
    deciding: () => deciding + (forwarding?.pending() ?? 0),
    conversing: eap.inProgress,
    async drain() {
      await forwarding?.drain();
      while (deciding > 0) {
        await new Promise<void>((resolve) => {
          whenDecided = resolve;
        });
      }
      answers.flush();
      eap.close();
      rejects.flush();
    },
  };
}
