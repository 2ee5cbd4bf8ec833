// Sessions beyond the limit of their subscription: which are to end, as which change the brake counts it, and which can be ended by name.
import { isDeepStrictEqual } from 'node:util';
import type { NasRecord } from '#aaa-server/subscribers/records.ts';
import { attribute } from '#aaa-server/wire/attributes.ts';
import { disconnected } from '#policy/enforcement/next-step.ts';
import { surplusOf } from '#policy/enforcement/surplus.ts';
import type { StricterChange } from '#policy/ledger/brake-gate.ts';
import type { Subscriber } from '#policy/ledger/enforcement.ts';
import { configuredNas } from '#policy/nas/configured.ts';
import type { Assessment, SessionNeed } from './assess.ts';
import { identification } from './coa/request.ts';

/** Those whose access server is to be told; one that was told already is not. */
export function surplusIn({ sessions, sessionLimit }: Pick<Assessment, 'sessions' | 'sessionLimit'>): SessionNeed[] {
  if (sessionLimit === 0 || sessions.length < 2) return [];
  const open = sessions.map((need) => ({ ...need.session, need, silent: need.life !== 'open' }));
  const surplus = new Set(surplusOf(open, sessionLimit).map(({ need }) => need));
  return sessions.filter(
    (need) => surplus.has(need) && need.mode === 'enforce' && need.session.enforcement.sent !== disconnected,
  );
}

export function surplusChange({ subscriptionId }: Subscriber): StricterChange {
  return { subscriptionId, reason: 'disconnect:surplus', desired: disconnected };
}

/** Whether a Disconnect for this session would mean another open one too: it is not named by its id, and the rest is the same. */
export function isNamedLikeAnother(need: SessionNeed, sessions: readonly SessionNeed[], nas: NasRecord): boolean {
  const { profile } = configuredNas(nas);
  const named = identification(need.session, profile);
  if (named.some(({ vendor, type }) => vendor === 0 && type === attribute.acctSessionId)) return false;
  return sessions.some(
    (other) =>
      other !== need &&
      other.session.nasInstance === need.session.nasInstance &&
      isDeepStrictEqual(identification(other.session, profile), named),
  );
}
