// Asks aaa-server, on its admin port, about removals that the guard of its subscriber snapshot holds back.
import Type from 'typebox';
import { Value } from 'typebox/value';
import { type AaaAdmin, refused } from '../aaa-admin.ts';

const HeldList = Type.Object({
  data: Type.Array(
    Type.Object({ tenant_id: Type.Integer(), kind: Type.String(), count: Type.Integer(), since: Type.String() }),
  ),
});

/** `tenantId` 0 is a reload that would lose records of all tenants together. */
export type HeldRemovals = {
  readonly tenantId: number;
  readonly kind: string;
  readonly count: number;
  readonly since: string;
};

export type FeedGuard = {
  held(): Promise<readonly HeldRemovals[]>;
  /** Lets exactly `count` removals of the tenant pass; false when another number, or nothing, is held. */
  confirm(tenantId: number, count: number): Promise<boolean>;
};

export function createFeedGuard(aaa: AaaAdmin): FeedGuard {
  return {
    async held() {
      const response = await aaa.call('GET', '/feed-guard');
      if (!response.ok) throw refused(response);
      const { data } = Value.Parse(HeldList, await response.json());
      return data.map(({ tenant_id, ...held }) => ({ tenantId: tenant_id, ...held }));
    },
    async confirm(tenantId, count) {
      const response = await aaa.call('POST', '/feed-guard/confirm', { tenant_id: tenantId, count });
      if (response.status === 409) return false;
      if (!response.ok) throw refused(response);
      return true;
    },
  };
}
