// The Class that a login of a subscriber would have given its session, so that accounting finds its owner and what it was answered.
import { randomUUID } from 'node:crypto';
import { makeClass, outcomeHash } from '#aaa-server/accounting/class.ts';
import { catalog } from '#ops/seed/demo.ts';
import { formatOutcome } from '#policy/access/outcome.ts';
import { partitionOf } from '#policy/ledger/keys.ts';

/** Whose sessions are reported. */
export type Accounts = {
  readonly tenantId: number;
  /** Subscription of user0, user1, … */
  readonly subscriptionIds: readonly number[];
  /** Key of the Class attribute, hex. */
  readonly classKey: string;
};

export function loginClass({ tenantId, subscriptionIds, classKey }: Accounts): (user: number) => Buffer {
  const key = Buffer.from(classKey, 'hex');
  const outcomes = catalog.map((tariff) => outcomeHash(formatOutcome({ kind: 'accept', speed: tariff })));
  return (user) => {
    const subscriptionId = subscriptionIds[user] ?? 0;
    return makeClass(key, {
      tenantId,
      partition: partitionOf(tenantId, subscriptionId),
      subscriptionId,
      uuid: randomUUID().replaceAll('-', ''),
      // The seed's tariffs in turn. With another one enforcement would correct every session.
      outcomeHash: outcomes[user % outcomes.length] ?? '',
    });
  };
}
