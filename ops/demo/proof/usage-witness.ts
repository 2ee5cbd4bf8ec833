// The API as a witness: the usage of all time that the ledger has counted for each subscription.
import { mapLimited } from '#ops/runtime/map-limited.ts';
import type { ByteCount } from '../isp/subscriber.ts';
import type { Api } from '../tenant/api.ts';
import { accounted, type Witness } from './witness.ts';

export const askAtOnce = 8;

export function usageWitness(api: Pick<Api, 'usage'>): Witness {
  return {
    name: 'the API',
    expected: (subscriber) => accounted(subscriber, subscriber.before),
    async read(subscribers) {
      const found = new Map<number, ByteCount>();
      await mapLimited(subscribers, askAtOnce, async ({ subscriptionId }) => {
        found.set(subscriptionId, (await api.usage(subscriptionId)).allTime);
      });
      return found;
    },
  };
}
