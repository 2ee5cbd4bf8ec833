// The control API as the demo uses it: usage, holds, the brake.
import { setTimeout as delay } from 'node:timers/promises';
import Type, { type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import type { ByteCount } from '../isp/subscriber.ts';

const Count = Type.Object({ up_bytes: Type.Integer(), down_bytes: Type.Integer() });
const Usage = Type.Object({ today: Count, all_time: Count });
const Brakes = Type.Object({
  data: Type.Array(Type.Object({ id: Type.Integer(), state: Type.String(), count: Type.Integer() })),
});

export type Usage = { readonly today: ByteCount; readonly allTime: ByteCount };
export type HeldBrake = { readonly id: number; readonly count: number };

export type Api = {
  usage(subscriptionId: number): Promise<Usage>;
  /** A hold for abuse that ends by itself. */
  suspend(subscriptionId: number, until: Date): Promise<void>;
  /** The brake that holds. */
  heldBrake(): Promise<HeldBrake | undefined>;
  /** False when meanwhile another number waits. */
  confirmBrake(brake: HeldBrake): Promise<boolean>;
};

const anything = Type.Unknown();
const timeoutMs = 10_000;
const mostPauseS = 60;

export function createApi(apiUrl: string, token: string): Api {
  async function call<T extends TSchema>(
    schema: T,
    method: string,
    path: string,
    body?: unknown,
    expected: readonly number[] = [],
  ): Promise<{ status: number; body: Static<T> | undefined }> {
    for (;;) {
      const response = await fetch(`${apiUrl}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      // Many subscribers are read in a row: the API says how long to pause.
      if (response.status === 429) {
        await response.body?.cancel();
        await delay(1000 * Math.min(mostPauseS, Math.max(1, Number(response.headers.get('retry-after')) || 1)));
        continue;
      }
      const text = await response.text();
      if (response.ok)
        return { status: response.status, body: Value.Parse(schema, text === '' ? null : JSON.parse(text)) };
      if (expected.includes(response.status)) return { status: response.status, body: undefined };
      throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 200)}`);
    }
  }

  return {
    async usage(subscriptionId) {
      const { body } = await call(Usage, 'GET', `/subscriptions/${subscriptionId}/usage`);
      if (!body) throw new Error(`no usage of subscription ${subscriptionId}`);
      return { today: show(body.today), allTime: show(body.all_time) };
    },
    async suspend(subscriptionId, until) {
      const hold = { reason: 'abuse', until: until.toISOString() };
      await call(anything, 'POST', `/subscriptions/${subscriptionId}/suspend`, hold);
    },
    async heldBrake() {
      const { body } = await call(Brakes, 'GET', '/enforcement/brake');
      return body?.data.find(({ state }) => state === 'held');
    },
    async confirmBrake({ id, count }) {
      const { status } = await call(anything, 'POST', `/enforcement/brake/${id}/confirm`, { count }, [404, 409]);
      return status < 300;
    },
  };
}

function show({ up_bytes, down_bytes }: Static<typeof Count>): ByteCount {
  return { up: up_bytes, down: down_bytes };
}
