// Runs a command on a subscription and answers what became of it.
import type { FastifyRequest } from 'fastify';
import { writing } from '../api.ts';
import type { Tx } from '../database/connect.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import type { SubscriptionReply } from './contract.ts';
import { getSubscription } from './queries.ts';

/** `command` gives the id of the subscription. */
export function createWriteAndShow({ db, clock }: Pick<Deps, 'db' | 'clock'>) {
  return (request: FastifyRequest, command: (tx: Tx) => Promise<number>): Promise<SubscriptionReply> =>
    write(db, writing(request), async (tx) => {
      const subscriptionId = await command(tx);
      return getSubscription(tx, { subscriptionId, customerId: undefined }, new Date(clock.nowMs()));
    });
}
