// Asks aaa-server, on its admin port, about removals that the guard of its subscriber snapshot holds back.
import Type, { type Static } from 'typebox';
import { Value } from 'typebox/value';
import type { Keyring } from '#ops/runtime/keyring.ts';
import { Problem } from '../problem.ts';

const Held = Type.Object({ tenant_id: Type.Integer(), count: Type.Integer(), since: Type.String() });
const HeldList = Type.Object({ data: Type.Array(Held) });

export type FeedGuard = {
  /** What is held of a tenant; null when nothing is. */
  held(tenantId: number): Promise<{ count: number; since: string } | null>;
  /** Lets exactly `count` removals pass; false when another number is held. */
  confirm(tenantId: number, count: number): Promise<boolean>;
};

const timeoutMs = 3000;

export function createFeedGuard(port: number, keyring: Keyring): FeedGuard {
  const authorization = `Bearer ${keyring.derive('admin-token').toString('hex')}`;

  async function call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Response> {
    try {
      return await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      throw new Problem('aaa_unavailable', 'aaa-server does not answer on its admin port', [], error);
    }
  }

  return {
    async held(tenantId) {
      const response = await call('GET', '/feed-guard');
      if (!response.ok) throw refused(response);
      const list: Static<typeof HeldList> = Value.Parse(HeldList, await response.json());
      return list.data.find((held) => held.tenant_id === tenantId) ?? null;
    },
    async confirm(tenantId, count) {
      const response = await call('POST', '/feed-guard/confirm', { tenant_id: tenantId, count });
      if (response.status === 409) return false;
      if (!response.ok) throw refused(response);
      return true;
    },
  };
}

function refused(response: Response): Problem {
  return new Problem('aaa_unavailable', `aaa-server answered ${response.status} on its admin port`);
}
