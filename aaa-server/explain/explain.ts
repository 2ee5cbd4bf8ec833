// Explains what a login would be answered and why: by the functions that answer it, on a request made here, without a packet and without a trace.
import type { Clock } from '#ops/runtime/clock.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { RedisLink } from '#ops/stores/redis-link.ts';
import type { FeedSilence } from '#policy/access/expiry.ts';
import { loginSentence } from '#policy/access/login-sentences.ts';
import { formatOutcome } from '#policy/access/outcome.ts';
import { outcomeSentence } from '#policy/access/sentences.ts';
import { configuredNas } from '#policy/nas/configured.ts';
import type { Pool } from '#policy/network/pool.ts';
import { createUnitIndex } from '#policy/network/units.ts';
import { addressAttributes } from '../auth/address-attributes.ts';
import { type Authorization, type AuthorizeResult, authorize } from '../auth/authorize.ts';
import { createDeviceUsers } from '../auth/device-users.ts';
import { createRefusedAnswer } from '../auth/refused-answer.ts';
import type { GateAnswer } from '../network/gate.ts';
import { createLookingNetwork } from '../network/look.ts';
import { termsOf } from '../network/terms.ts';
import { realmsByTenant } from '../proxy/realms.ts';
import { createAnswerLogin } from '../radius/answer-login.ts';
import { isKeptAway } from '../radius/login.ts';
import type { LoginAnswer } from '../radius/request.ts';
import type { AddressRecord, CredentialRecord, SnapshotReader } from '../subscribers/records.ts';
import type { Dictionary } from '../wire/dictionary.ts';
import { decodePacket, type Packet } from '../wire/packet.ts';
import { type AttributeOrigins, type ExplainedAttribute, explainAttributes, showAttributes } from './attributes.ts';
import { whileDrained } from './drained.ts';
import { type Fact, factsOf } from './facts.ts';
import { accessRequestOf, type LoginQuestion } from './request.ts';
import { explainStaff } from './staff.ts';
import { createNasFinder, type NasFound } from './where.ts';
import { findUser, type ShownUser } from './who.ts';

export type ExplainQuestion = LoginQuestion & {
  readonly tenantId: number;
  /** Id, source address, NAS-Identifier or name. */
  readonly nas?: string;
};

export type Explanation = {
  readonly result: 'accept' | 'reject' | 'unanswered';
  /** Why it is no Accept at full speed. */
  readonly reason: string | null;
  readonly sentence: string;
  /** Text of policy/access/outcome.ts. */
  readonly outcome: string | null;
  readonly user: ShownUser;
  readonly nas: ReturnType<typeof showNas>;
  readonly facts: readonly Fact[];
  readonly network: ReturnType<typeof showNetwork> | null;
  readonly attributes: readonly ExplainedAttribute[];
  /** What PAP and CHAP get instead of the reject. */
  readonly garden_stay: readonly ExplainedAttribute[] | null;
};

export type ExplainResult =
  | { readonly ok: true; readonly explanation: Explanation }
  | { readonly ok: false; readonly problem: 'nas_unknown' | 'nas_needed' | 'nas_ambiguous' | 'request_too_long' };

export type ExplainDeps = {
  readonly snapshot: SnapshotReader;
  readonly redis: Pick<RedisLink, 'current'>;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly feedSilence: Pick<FeedSilence, 'toleratedMs' | 'extraGraceMs'>;
  readonly dictionary: Dictionary;
};

export type Explain = (question: ExplainQuestion) => Promise<ExplainResult>;

/** What the network side said; `answered`: Redis did. `accepted`: what it was asked for. */
type NetworkSaid = { gate: GateAnswer | null; answered: boolean; accepted: Authorization | undefined };

/** The middle of every spread. */
const middle = () => 0.5;

export function createExplain(deps: ExplainDeps): Explain {
  const { snapshot, keyring, clock, feedSilence, dictionary } = deps;
  const answering = { snapshot, clock, classKey: keyring.derive('class'), random: middle, uuid: () => '0'.repeat(32) };
  const findNas = createNasFinder(snapshot, keyring);
  const users = createDeviceUsers(snapshot);
  const refusedAnswer = createRefusedAnswer({ ...answering, workers: 1 });

  /** The answer as a login gets it, and what the network said meanwhile. */
  async function answerOf(nas: NasFound['client'], credential: CredentialRecord, packet: Packet) {
    const said: NetworkSaid = { gate: null, answered: false, accepted: undefined };
    const looking = createLookingNetwork({
      ...deps,
      onAnswered() {
        said.answered = true;
      },
    });
    const answerLogin = createAnswerLogin({
      ...{ ...answering, feedSilence },
      network: {
        async ask(where, found, request) {
          said.accepted = found;
          said.gate = await looking.ask(where, found, request);
          return said.gate ?? { kind: 'go', addresses: [] };
        },
      },
    });
    const answer = await answerLogin(nas, credential, packet);
    return { answer, said };
  }

  async function explainKnown(where: NasFound, credential: CredentialRecord, packet: Packet, user: ShownUser) {
    const { client } = where;
    const nowMs = clock.nowMs();
    const mirrorSilentSinceMs = snapshot.mirrorState().inStepAtMs;
    const options = { nas: configuredNas(client.record), feedSilence, mirrorSilentSinceMs, random: middle };
    const result = authorize(snapshot, credential, nowMs, options);
    const { answer, said } = await answerOf(client, credential, packet);
    const words = saidOf(answer, result);
    if (result.kind !== 'known') return { ...words, ...nothing, user, nas: showNas(where), garden_stay: null };
    const found = said.accepted ?? result;
    const { tenantId } = credential;
    const pools = snapshot.poolList().filter((pool) => pool.tenantId === tenantId);
    const facts = factsOf({
      ...{ found, mirrorSilentSinceMs, nowMs },
      profile: snapshot.profile(tenantId, credential.subscriptionId),
      feedSilentSinceMs: snapshot.feedAliveAtMs() || null,
      feedToleratedMs: feedSilence.toleratedMs,
    });
    const origins = { found, nas: client.record, nowMs, leased: leasedOf(said.gate, pools) };
    const attributes = answer.kind === 'accept' ? explainAttributes(dictionary, answer.attributes, origins) : [];
    const network = showNetwork(found, said, pools);
    return { ...words, user, nas: showNas(where), facts, network, attributes, garden_stay: stayOf(where, answer) };
  }

  function stayOf({ client }: NasFound, answer: LoginAnswer): ExplainedAttribute[] | null {
    if (answer.kind !== 'reject') return null;
    const attributes = refusedAnswer(client.record, answer.reason, true);
    const rule = `refused_logins of the tenant, for ${answer.reason} by PAP or CHAP`;
    return (
      attributes &&
      showAttributes(dictionary, attributes).map((shown) => ({ ...shown, source: 'garden_stay' as const, rule }))
    );
  }

  function isForwarded({ tenantId, userName }: ExplainQuestion): boolean {
    const realm = realmsByTenant(snapshot.proxyList()).get(tenantId)?.find(userName)?.realm;
    return realm?.record.authentication === 'forward';
  }

  return async (question) => {
    const where = findNas(question.tenantId, question.nas, question.nasIdentifier);
    if ('problem' in where) return { ok: false, problem: where.problem };
    const { client } = where;
    const [secret] = client.secrets;
    const data = secret && accessRequestOf(client.record, secret, question);
    const packet = data && decodePacket(data);
    if (!secret || !packet?.ok) return { ok: false, problem: 'request_too_long' };
    const staff = explainStaff(
      { snapshot, users, dictionary },
      client.record,
      question.userName,
      packet,
      clock.nowMs(),
    );
    if (staff && snapshot.complete()) {
      return { ok: true, explanation: { ...staff, nas: showNas(where), network: null, garden_stay: null } };
    }
    const { credential, shown: user } = findUser(snapshot, client, secret, question.userName, packet);
    if (isForwarded(question) && !isKeptAway(packet, client)) {
      const sentence = loginSentence('forwarded');
      const words = { result: 'unanswered' as const, outcome: null, reason: 'forwarded', sentence };
      return { ok: true, explanation: { ...words, ...nothing, user, nas: showNas(where), garden_stay: null } };
    }
    if (credential && snapshot.complete()) {
      const explanation = await explainKnown(where, credential, packet, user);
      return { ok: true, explanation: whileDrained(explanation, client.record) };
    }
    const answer: LoginAnswer = snapshot.complete()
      ? { kind: 'reject', reason: 'unknown_user' }
      : { kind: 'unavailable', reason: 'snapshot_incomplete' };
    const words = saidOf(answer, null);
    const stay = stayOf(where, answer);
    const explanation = { ...words, ...nothing, user, nas: showNas(where), garden_stay: stay };
    return { ok: true, explanation: whileDrained(explanation, client.record) };
  };
}

const nothing = { facts: [], network: null, attributes: [] } as const;

function saidOf(answer: LoginAnswer, result: AuthorizeResult | null) {
  const known = result?.kind === 'known' ? result.outcome : null;
  const outcome = known && formatOutcome(known);
  switch (answer.kind) {
    case 'accept':
      return {
        ...{ result: 'accept' as const, outcome },
        reason: known && known.kind !== 'accept' ? known.reason : null,
        sentence: known ? outcomeSentence(known) : '',
      };
    case 'reject': {
      const byPolicy = known?.kind === 'reject' && known.reason === answer.reason;
      const sentence = byPolicy ? outcomeSentence(known) : loginSentence(answer.reason);
      return { result: 'reject' as const, outcome, reason: answer.reason, sentence };
    }
    case 'unavailable': {
      const { reason } = answer;
      return { result: 'unanswered' as const, outcome, reason, sentence: loginSentence(reason) };
    }
    default:
      return answer satisfies never;
  }
}

function showNas({ client: { record, several }, foundBy, rule }: NasFound) {
  const { id, name, address, vendor, identifier } = record;
  return { id, name, address, vendor, nas_identifier: identifier, several, found_by: foundBy, rule };
}

function poolOf(pools: readonly Pool[], { kind, prefix }: AddressRecord): Pool | undefined {
  if (kind === 'framed_route') return undefined;
  const text = kind === 'ipv4' ? prefix.replace('/32', '') : prefix;
  return createUnitIndex(pools).find(kind, text)?.pool;
}

function leasedOf(gate: GateAnswer | null, pools: readonly Pool[]): AttributeOrigins['leased'] {
  if (gate?.kind !== 'go') return [];
  return gate.addresses.flatMap((address) => {
    const pool = poolOf(pools, address)?.name ?? 'of the tenant';
    return addressAttributes([address]).map((attribute) => ({ attribute, address, pool }));
  });
}

/** `ledger`: whether Redis had to be asked, and answered. */
function showNetwork(
  { tenant, plan, subscription }: Authorization,
  { gate, answered }: NetworkSaid,
  pools: readonly Pool[],
) {
  const terms = termsOf(plan, subscription);
  const nameOf = (id: number | null) =>
    id === null ? null : (pools.find((pool) => pool.id === id)?.name ?? String(id));
  return {
    session_limit: terms.sessionLimit,
    session_mode: tenant.sessionMode ?? 'newest',
    mac_limit: terms.macLimit,
    mac_mode: terms.macMode,
    pools: {
      ipv4: nameOf(terms.ipv4PoolId),
      ipv6_prefix: nameOf(terms.ipv6PoolId),
      delegated_prefix: nameOf(terms.delegatedPoolId),
    },
    ledger: answered
      ? ('asked' as const)
      : gate === null || gate.kind === 'refused'
        ? ('not_needed' as const)
        : ('away' as const),
  };
}
