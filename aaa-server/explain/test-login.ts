// Logins that an operator tries: a request made here goes through the worker's own handler as if the access server had sent it, and leaves nothing behind.
import type { Clock } from '#ops/runtime/clock.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import { testPatienceMs } from '#policy/access/login-patience.ts';
import type { NasClient } from '../auth/nas-table.ts';
import type { RadiusHandler } from '../radius/handler.ts';
import type { LoginDecision } from '../radius/login.ts';
import { createNasActivities } from '../radius/nas-activity.ts';
import type { RadiusLink } from '../radius/request.ts';
import { createTrust } from '../radius/trust.ts';
import type { SnapshotReader } from '../subscribers/records.ts';
import { accessRequestOf, type LoginProof, type LoginQuestion } from './request.ts';
import { createNasFinder, type NasLookup } from './where.ts';

export type TestLogin = LoginQuestion & LoginProof & { readonly tenantId: number; readonly nas?: string };

export type TestLoginResult =
  | {
      readonly ok: true;
      readonly result: 'accept' | 'reject' | 'unanswered';
      readonly reason: string | null;
      readonly outcome: string | null;
      readonly subscriptionId: number | null;
      readonly nasId: number;
      readonly durationUs: number | null;
      /** The packet that the access server would get; null for none. */
      readonly reply: Uint8Array | null;
    }
  | { readonly ok: false; readonly problem: Extract<NasLookup, { problem: string }>['problem'] | 'request_too_long' };

export type TestLogins = (test: TestLogin) => Promise<TestLoginResult>;

export type TestLoginDeps = {
  readonly handler: Pick<RadiusHandler, 'handlePacket'>;
  readonly snapshot: SnapshotReader;
  readonly keyring: Keyring;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** setTimeout, or a fake one. */
  later(callback: () => void, ms: number): void;
};

/** Of no socket and no connection. */
const socketIndex = 200;

type Decided = { readonly decision: LoginDecision; readonly durationUs: number };

export function createTestLogins({ handler, snapshot, keyring, clock, later }: TestLoginDeps): TestLogins {
  const activities = createNasActivities();
  // What a test proves teaches nothing of the access server.
  const trust = createTrust({ windowMs: 0, nowMs: clock.nowMs, onLearned: () => undefined });
  const findNas = createNasFinder(snapshot, keyring, trust);
  let port = 0;

  return async (test) => {
    const where = findNas(test.tenantId, test.nas, test.nasIdentifier);
    if ('problem' in where) return { ok: false, problem: where.problem };
    const { record, secrets } = where.client;
    const [secret] = secrets;
    const data = secret && accessRequestOf(record, secret, test, test);
    if (!data) return { ok: false, problem: 'request_too_long' };

    const heard = Promise.withResolvers<Decided | null>();
    const replied = Promise.withResolvers<Buffer | null>();
    const client: NasClient = {
      ...where.client,
      test: { decided: (decision, durationUs) => heard.resolve({ decision, durationUs }) },
    };
    port = (port + 1) % 65_536;
    const link: RadiusLink = {
      peer: { address: 'a test', port },
      socketIndex,
      socket: {
        send: (_, reply, start, length) => replied.resolve(Buffer.from(reply.subarray(start, start + length))),
      },
      clientOf: () => client,
      activity: activities.of(record.id),
    };
    later(() => {
      heard.resolve(null);
      replied.resolve(null);
    }, testPatienceMs.worker);
    const dropped = handler.handlePacket('auth', data, 0, data.length, link);
    if (dropped) heard.resolve(null);
    const decided = await heard.promise;
    const answered = decided?.decision.kind === 'accept' || decided?.decision.kind === 'reject';
    const reply = answered ? await replied.promise : null;
    return { ok: true, ...answerOf(decided, dropped, reply !== null), nasId: record.id, reply };
  };
}

function answerOf(decided: Decided | null, dropped: string | null, isAnswered: boolean) {
  const none = { outcome: null, subscriptionId: null };
  const durationUs = decided?.durationUs ?? null;
  const decision = decided?.decision;
  if (!decision || !isAnswered || decision.kind === 'challenge' || decision.kind === 'drop') {
    const why = decision?.kind === 'drop' ? decision.reason : (dropped ?? 'no_answer');
    return { result: 'unanswered' as const, reason: why, durationUs, ...none };
  }
  if (decision.kind === 'reject') return { result: 'reject' as const, reason: decision.reason, durationUs, ...none };
  const { outcome = null, subscriptionId = null, stayFor = null } = decision;
  return { result: 'accept' as const, reason: stayFor, durationUs, outcome, subscriptionId };
}
