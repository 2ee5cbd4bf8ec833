// What enforcement decides by: counters, last decided profile and open sessions of a subscription, those of many in one call.
import type { FunctionCaller } from './call.ts';
import { keys, partitionOf, tag } from './keys.ts';
import { type DecidedProfile, decodeProfile } from './profile.ts';
import { sessionFields, sessionOf } from './sessions.ts';
import { createTogether } from './together.ts';
import type { LiveSession, Subscriber, Usage, UsageWindows } from './types.ts';
import { counterNames, usageOf } from './usage.ts';

export type Look = {
  readonly usage: Usage;
  /** The profile last published for the subscription; null when none was. */
  readonly lastProfile: DecidedProfile | null;
  readonly sessions: readonly LiveSession[];
};

/** `windows`: the last of each kind is the one asked for. */
export type LookAt = (who: Subscriber, windows: UsageWindows) => Promise<Look>;

type Ask = { readonly partition: number; readonly who: Subscriber; readonly windows: UsageWindows };
type RawLook = [counters: (Buffer | null)[], profile: Buffer | null, sessions: (Buffer | null)[][]];

export function createLook({ callBuffer }: Pick<FunctionCaller, 'callBuffer'>): LookAt {
  const together = createTogether<Ask, Look>({
    groupOf: ({ partition }) => partition,
    most: 16,
    async send(asks) {
      const partition = asks[0]?.partition ?? 0;
      const wanted = asks.flatMap(({ who, windows }) => [who.tenantId, who.subscriptionId, ...counterNames(windows)]);
      const fixed = [tag(partition), sessionFields.length, ...sessionFields];
      const found = await callBuffer('enforcement_look', [keys.lanes(partition)], [...fixed, ...wanted]);
      return (found as RawLook[]).map(([counters, profile, sessions]) => ({
        usage: usageOf(counters),
        lastProfile: (profile && decodeProfile(profile.toString())) ?? null,
        sessions: sessions.flatMap((values) => sessionOf(partition, values) ?? []),
      }));
    },
  });
  return (who, windows) => together({ partition: partitionOf(who.tenantId, who.subscriptionId), who, windows });
}
