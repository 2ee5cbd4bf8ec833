// A small ISP in memory: a snapshot of one tenant, access servers and subscribers, for tests that need no LMDB.

import type { DeviceUserRecord } from '#aaa-server/subscribers/device-users.ts';
import type {
  CredentialRecord,
  NasRecord,
  PlanRecord,
  SnapshotReader,
  SubscriptionRecord,
  TenantRecord,
} from '#aaa-server/subscribers/records.ts';
import type { ProxyRecord } from '#aaa-server/subscribers/records-of-proxy.ts';
import type { SourceRow } from '#aaa-server/subscribers/rows.ts';
import { createKeyring } from '#ops/runtime/keyring.ts';
import { devicePlace } from '#policy/credentials/device-user.ts';
import type { PasswordScheme } from '#policy/credentials/password-scheme.ts';

export const masters = ['a secret of the tests only'];
export const keyring = createKeyring(masters);

export type Isp = {
  readonly snapshot: SnapshotReader;
  complete: boolean;
  setNases(nases: readonly NasRecord[]): void;
  setProxies(proxies: ProxyRecord[]): void;
  changeSubscription(id: number, change: Partial<SubscriptionRecord>): void;
  /** Everything as the rows of the feed, for a snapshot in LMDB. */
  rows(): SourceRow[];
  addDeviceUser(userName: string, password: string, change?: Partial<DeviceUserRecord>): void;
  addSubscriber(
    userName: string,
    password: string,
    change?: Partial<SubscriptionRecord>,
    realm?: string,
    scheme?: PasswordScheme,
  ): number;
};

const tenantId = 1;
const tenant: TenantRecord = { id: tenantId, slug: 'demo', timeZone: 'UTC', weekStart: 1, mode: 'enforce' };
const plan: PlanRecord = {
  tenantId,
  id: 1,
  speed: { upBps: 5_000_000, downBps: 20_000_000 },
  fupRules: [],
  suspendAction: 'reject',
  graceMs: 0,
  interimIntervalS: 300,
};

export function nasOf(change: Partial<NasRecord> & { secrets?: readonly string[] } = {}): NasRecord {
  const { secrets = ['testing123'], ...rest } = change;
  const address = rest.address ?? '127.0.0.0/8';
  return {
    tenantId,
    id: 1,
    name: 'tower',
    address,
    identifier: null,
    vendor: 'mikrotik',
    secretCiphers: secrets.map((secret) => keyring.encrypt('nas', `${tenantId}:${address}`, Buffer.from(secret))),
    coaAddress: null,
    coaPort: 3799,
    coaRatePerS: 100,
    mode: 'enforce',
    adoptedAtMs: null,
    messageAuthenticator: 'no',
    limitProxyState: 'yes',
    replyMessageAuthenticator: true,
    learnSinceMs: 0,
    ...rest,
  };
}

export function createIsp(): Isp {
  let nases: readonly NasRecord[] = [nasOf()];
  let proxies: ProxyRecord[] = [];
  let generation = 1;
  const subscriptions = new Map<number, SubscriptionRecord>();
  const credentials = new Map<string, CredentialRecord>();
  const deviceUsers: DeviceUserRecord[] = [];
  const isp: Isp = {
    complete: true,
    changeSubscription(id, change) {
      const record = subscriptions.get(id);
      if (record) subscriptions.set(id, { ...record, ...change });
    },
    rows: () => [
      { kind: 'tenant', record: tenant },
      { kind: 'plan', record: plan },
      ...nases.map((record) => ({ kind: 'nas' as const, record })),
      ...proxies.map((record) => ({ kind: 'proxy' as const, record })),
      ...[...subscriptions.values()].map((record) => ({
        kind: 'subscription' as const,
        record,
        credentials: [...credentials.values()].filter(({ subscriptionId }) => subscriptionId === record.id),
      })),
    ],
    setNases(next) {
      nases = next;
      generation++;
    },
    setProxies(next) {
      proxies = next;
      generation++;
    },
    addDeviceUser(userName, password, change = {}) {
      const passwordCipher = keyring.encrypt('credential', devicePlace(tenantId, userName), Buffer.from(password));
      deviceUsers.push({
        ...{ tenantId, id: deviceUsers.length + 1, userName, passwordCipher, scheme: 'clear', access: 'full' },
        ...{ enabled: true, validUntilMs: null, nasIds: null, ...change },
      });
      generation++;
    },
    addSubscriber(userName, password, change = {}, realm = '', scheme = 'clear') {
      const id = subscriptions.size + 1;
      subscriptions.set(id, {
        tenantId,
        id,
        customerId: id,
        planId: plan.id,
        customerStatus: 'active',
        status: 'active',
        holds: [],
        paidUntilMs: null,
        paidUntilSetAtMs: 0,
        anchorDay: 1,
        meter: 'radius',
        meterSinceMs: null,
        addresses: [],
        ...change,
      });
      const place = `${tenantId}:${realm}:${userName}`;
      credentials.set(place, {
        tenantId,
        realm,
        userName,
        subscriptionId: id,
        passwordCipher: keyring.encrypt('credential', place, Buffer.from(password)),
        scheme,
      });
      return id;
    },
    snapshot: {
      complete: () => isp.complete,
      feedAliveAtMs: () => Date.now(),
      mirrorState: () => ({ inStepAtMs: Date.now() }),
      onlyTenant: () => tenantId,
      tenant: (id) => (id === tenantId ? tenant : undefined),
      plan: (_tenantId, id) => (id === plan.id ? plan : undefined),
      subscription: (_tenantId, id) => subscriptions.get(id),
      credential: (id, realm, userName) => credentials.get(`${id}:${realm}:${userName}`),
      profile: () => undefined,
      nasGeneration: () => generation,
      nasList: () => [...nases],
      poolList: () => [],
      proxyList: () => proxies,
      deviceUserList: () => [...deviceUsers],
      macs: () => [],
    },
  };
  return isp;
}
