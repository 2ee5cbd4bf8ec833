// What every tenant forwards, made of the snapshot anew when it changes: which realm a user name has, who gets copies of the accounting.

import { defaultRealm } from '#policy/proxy/settings.ts';
import type { AccountingCopyRecord, ProxyRecord, RealmRecord } from '../subscribers/records-of-proxy.ts';
import { type AllowList, createAllowList } from './allow-list.ts';
import { realmsIn } from './user-name.ts';

export type Realm = {
  readonly tenantId: number;
  readonly record: RealmRecord;
  readonly allow: AllowList;
};

/** A user name of a realm. */
export type InRealm = { readonly realm: Realm /** The name without the realm. */; readonly user: string };

export type TenantRealms = {
  readonly realms: readonly Realm[];
  readonly copies: readonly AccountingCopyRecord[];
  /** Undefined: it has none, or one that nobody speaks of. */
  find(userName: string): InRealm | undefined;
};

export function realmsByTenant(records: readonly ProxyRecord[]): ReadonlyMap<number, TenantRealms> {
  return new Map(records.map((record) => [record.tenantId, realmsOf(record)]));
}

function realmsOf({ tenantId, realms, copies }: ProxyRecord): TenantRealms {
  const all = realms.map((record): Realm => ({ tenantId, record, allow: createAllowList(record.replyAttributes) }));
  const byName = new Map(all.map((realm) => [realm.record.name, realm]));
  const otherwise = byName.get(defaultRealm);
  byName.delete(defaultRealm);
  return {
    realms: all,
    copies,
    find(userName) {
      const named = realmsIn(userName);
      const [first] = named;
      if (!first) return undefined;
      for (const { realm, user } of named) {
        const found = byName.get(realm);
        if (found) return { realm: found, user };
      }
      return otherwise && { realm: otherwise, user: first.user };
    },
  };
}
