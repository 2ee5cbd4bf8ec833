// What an access server must prove with an Access-Request: its policy, and what its packets have taught (CVE-2024-3596, as FreeRADIUS 3.2.5 and stricter).
import { type LearnedOfNas, mergeLearned, sameLearned } from '#ops/stores/nas-edge.ts';
import type { NasRecord } from '../subscribers/records.ts';
import { attribute, firstAttribute } from '../wire/attributes.ts';
import type { Packet } from '../wire/packet.ts';

export type ClientTrust = {
  /** Access-Requests without Message-Authenticator get no answer. */
  requiresMessageAuthenticator(): boolean;
  /** Those with Proxy-State and without Message-Authenticator get none. */
  limitsProxyState(): boolean;
  /** An Access-Request came with a Message-Authenticator that is right. */
  proved(packet: Packet): void;
  /** A login by an Access-Request without one was right. */
  loggedIn(packet: Packet): void;
};

export type Trust = {
  of(nas: NasRecord, isPrefix: boolean): ClientTrust;
  /** What other workers and nodes, or this one before, have learned. */
  hear(learned: readonly LearnedOfNas[]): void;
};

export type TrustOptions = {
  /** For how long after `learnSinceMs` a login without Message-Authenticator may teach that there is none. */
  readonly windowMs: number;
  /** Wall clock. */
  nowMs(): number;
  onLearned(learned: LearnedOfNas): void;
};

type What = 'messageAuthenticator' | 'limitProxyState';

/**
 * With `auto`, "yes" is learned from a Message-Authenticator that is right (not with EAP, which always has one), and never unlearned by
 * a packet: who strips it off a request cannot bring us back. "No" is learned only from a login that succeeded within the window;
 * outside it, and before anything was learned, what proves nothing is not answered. A prefix of devices never learns "yes".
 */
export function createTrust({ windowMs, nowMs, onLearned }: TrustOptions): Trust {
  const learned = new Map<number, LearnedOfNas>();
  const learnsSince = new Map<number, number>();

  function of(nas: NasRecord, isPrefix: boolean): ClientTrust {
    const { id: nasId, learnSinceMs } = nas;
    learnsSince.set(nasId, learnSinceMs);
    const learnsNothing = nas.messageAuthenticator !== 'auto' && nas.limitProxyState !== 'auto';
    /** A proof came, and taught all that one can. */
    let settled = learnsNothing;
    const isOpen = () => nowMs() - learnSinceMs < windowMs;

    function lesson(what: What): 'yes' | 'no' | null {
      const known = learned.get(nasId)?.[what];
      return known && known.atMs >= learnSinceMs ? known.value : null;
    }
    function demands(what: What): boolean {
      if (nas[what] !== 'auto') return nas[what] === 'yes';
      const value = lesson(what);
      return value === null ? !isOpen() : value === 'yes';
    }
    function learn(what: What, value: 'yes' | 'no'): void {
      if (nas[what] !== 'auto' || lesson(what) === value || (value === 'yes' && isPrefix)) return;
      const before = learned.get(nasId) ?? { nasId, messageAuthenticator: null, limitProxyState: null };
      const now = { ...before, [what]: { value, atMs: nowMs() } };
      learned.set(nasId, now);
      onLearned(now);
    }

    return {
      requiresMessageAuthenticator: () => demands('messageAuthenticator'),
      limitsProxyState: () => demands('limitProxyState'),
      proved(packet) {
        if (settled || packet.hasEap) return;
        learn('messageAuthenticator', 'yes');
        learn('limitProxyState', 'yes');
        settled = true;
      },
      loggedIn(packet) {
        if (learnsNothing || !isOpen()) return;
        if (lesson('messageAuthenticator') === null) learn('messageAuthenticator', 'no');
        if (firstAttribute(packet, attribute.proxyState) < 0) learn('limitProxyState', 'yes');
        else if (lesson('limitProxyState') === null) learn('limitProxyState', 'no');
      },
    };
  }

  return {
    of,
    hear(list) {
      for (const one of list) {
        const known = learned.get(one.nasId);
        const merged = known ? mergeLearned(known, one, learnsSince.get(one.nasId) ?? 0) : one;
        if (!sameLearned(known, merged)) learned.set(one.nasId, merged);
      }
    },
  };
}
