// One access server as it is configured: the profile of its vendor with what the operator has set for this one.
import { isSameSpeed, type Speed } from '../speed.ts';
import type { Ipv6Rule, NasAttribute, NasProfile, PolicyName, SpeedWay } from './profile.ts';
import { nasProfile } from './vendors.ts';

/** A speed and the policy on the access server that gives it. */
export type SpeedPolicy = PolicyName & Speed;

/** What a NAS record says of it. What is absent or null is as usual for the vendor. */
export type NasSettings = {
  readonly vendor: string;
  readonly speedWay?: SpeedWay | null;
  readonly policies?: readonly SpeedPolicy[];
  /** Its input octets are what its vendor calls output. */
  readonly swapOctets?: boolean;
  /** Bytes that its counters count as one. */
  readonly octetUnit?: number;
  readonly ipv6Rule?: Ipv6Rule | null;
};

/** match: nearest = no policy has this speed; the next lower one stands in, or where all are faster the slowest. */
export type ToldSpeed = { readonly attributes: readonly NasAttribute[]; readonly match: 'exact' | 'nearest' };

export type ConfiguredNas = {
  readonly profile: NasProfile;
  readonly gardenVerified: boolean;
  readonly inputOctets: 'up' | 'down';
  readonly octetUnit: number;
  readonly ipv6Rule: Ipv6Rule;
  /**
   * The attributes that give a session this speed. `before`: what the session has now, when it is to be changed. Null: the access
   * server wants the name of a policy and none is known; without attributes it would give a session no limit at all.
   */
  tell(speed: Speed, before?: Speed | null): ToldSpeed | null;
};

const known = new WeakMap<NasSettings, ConfiguredNas>();

/** The same settings give the same object: what was told before is remembered with it. */
export function configuredNas(settings: NasSettings): ConfiguredNas {
  let found = known.get(settings);
  if (!found) {
    found = configure(settings);
    known.set(settings, found);
  }
  return found;
}

/** Whether the access server is told speeds by the names of policies. */
export function wantsNames(settings: NasSettings): boolean {
  const profile = nasProfile(settings.vendor);
  return profile.named !== null && (profile.rate === null || (settings.speedWay ?? profile.speedWay) === 'names');
}

const mostRemembered = 1000;

function configure(settings: NasSettings): ConfiguredNas {
  const profile = nasProfile(settings.vendor);
  const { policies = [], swapOctets = false, octetUnit = 1, ipv6Rule } = settings;
  const byName = wantsNames(settings);
  const swapped = profile.inputOctets === 'up' ? 'down' : 'up';
  const remembered = new Map<string, ToldSpeed | null>();

  function work(speed: Speed, before: Speed | null): ToldSpeed | null {
    if (!byName) return profile.rate && { attributes: profile.rate(speed), match: 'exact' };
    const policy = policyFor(policies, speed);
    if (!policy || !profile.named) return null;
    const attributes = profile.named(policy, before && policyFor(policies, before));
    return { attributes, match: isSameSpeed(policy, speed) ? 'exact' : 'nearest' };
  }

  return {
    profile,
    gardenVerified: profile.gardenVerified,
    inputOctets: swapOctets ? swapped : profile.inputOctets,
    octetUnit,
    ipv6Rule: ipv6Rule ?? profile.ipv6Rule,
    tell(speed, before = null) {
      if (before) return work(speed, before);
      const key = `${speed.upBps}/${speed.downBps}`;
      let told = remembered.get(key);
      if (told === undefined) {
        told = work(speed, null);
        if (remembered.size >= mostRemembered) remembered.clear();
        remembered.set(key, told);
      }
      return told;
    },
  };
}

/** The policy of this speed, else the fastest that is in no direction faster (download first), else the slowest; null when there is none. */
export function policyFor(policies: readonly SpeedPolicy[], speed: Speed): SpeedPolicy | null {
  let below: SpeedPolicy | null = null;
  let slowest: SpeedPolicy | null = null;
  for (const policy of policies) {
    if (isSameSpeed(policy, speed)) return policy;
    if (!slowest || isFaster(slowest, policy)) slowest = policy;
    const within = policy.upBps <= speed.upBps && policy.downBps <= speed.downBps;
    if (within && (!below || isFaster(policy, below))) below = policy;
  }
  return below ?? slowest;
}

function isFaster(a: Speed, b: Speed): boolean {
  return a.downBps !== b.downBps ? a.downBps > b.downBps : a.upBps > b.upBps;
}
