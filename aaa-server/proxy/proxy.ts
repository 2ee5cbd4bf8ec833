// The RADIUS proxy of one worker: knows which requests go to which home servers, asks these, and keeps the accounting that they are to get.
import type { Clock } from '#ops/runtime/clock.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Registry } from '#ops/runtime/metrics.ts';
import type { OwnListeners } from '#ops/runtime/own-listeners.ts';
import type { DropReason } from '../counters.ts';
import { createOncePer } from '../radius/once-per.ts';
import type { RadiusRequest } from '../radius/request.ts';
import type { SnapshotReader } from '../subscribers/records.ts';
import { attribute, firstAttribute, textAt, valueLength } from '../wire/attributes.ts';
import type { Packet } from '../wire/packet.ts';
import type { Keeping } from './accounting-log.ts';
import { createAccountingLogs, type Destination } from './accounting-logs.ts';
import { encodeWaiting } from './accounting-record.ts';
import type { Target } from './deliver.ts';
import { type HealthTimings, usualTimings } from './health.ts';
import type { HomePort, HomePortKind } from './home-port.ts';
import { createHomePorts } from './home-ports.ts';
import { createMark, type Mark } from './mark.ts';
import { createProxyMetrics, type ProxyMetrics } from './metrics.ts';
import { type InRealm, realmsByTenant, type TenantRealms } from './realms.ts';

/** `local`: it is counted here too. */
export type KeptAccounting = { readonly local: boolean; readonly kept: Promise<unknown> };

export type RadiusProxy = Part & {
  readonly mark: Mark;
  readonly metrics: ProxyMetrics;
  /** The realm that decides the login, undefined when that is done here: a look-up in an empty map where nobody forwards anything. */
  realmOfLogin(tenantId: number, packet: Packet): InRealm | undefined;
  /**
   * Puts a verified Accounting-Request on disk for whom it is forwarded to; undefined when it is only counted here.
   * @param isOurs its session was let in here: it is counted here to its end, whatever its realm says since
   */
  keepAccounting(request: RadiusRequest, isOurs: boolean): KeptAccounting | DropReason | undefined;
  ports(tenantId: number, serverIds: readonly number[], kind: HomePortKind): HomePort[];
};

export type ProxyOptions = {
  readonly snapshot: Pick<SnapshotReader, 'proxyList' | 'nasGeneration'>;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly registry: Registry;
  /** What names this node, and this worker in it. */
  readonly node: string;
  readonly worker: number;
  /** Asked when a home server is first needed: the ports may be chosen by the system. */
  own(): OwnListeners;
  readonly logs: {
    readonly root: string;
    readonly own: string;
    readonly workers: ReadonlySet<string> | null;
    readonly keeping: Keeping;
  };
  readonly timings?: HealthTimings;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
};

/** How often what is made of the snapshot is compared with it. */
const lookEveryMs = 200;
const tellEveryMs = 10_000;
const none: ReadonlyMap<number, TenantRealms> = new Map();

export function createProxy(options: ProxyOptions): RadiusProxy {
  const { snapshot, keyring, clock, registry, worker, own } = options;
  const once = createOncePer(tellEveryMs, clock);
  /** A server may change its state, or refuse what is sent, many times a second. */
  const warn: ProxyOptions['warn'] = (message, fields) => {
    const { homeServer, port, log } = fields;
    if (once(`${message} ${homeServer} ${port} ${log}`)) options.warn(message, fields);
  };
  const metrics = createProxyMetrics(registry, worker, {
    outstanding: () => homes.outstanding(),
    waiting: () => logs.waiting(),
  });
  const mark = createMark(options.node, worker);
  const homes = createHomePorts({
    ...{ keyring, own, metrics, warn, timings: options.timings ?? usualTimings, monotonicMs: clock.monotonicMs },
  });
  let tenants = none;
  let generation = Number.NaN;
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    const current = snapshot.nasGeneration();
    if (current === generation) return;
    const records = snapshot.proxyList();
    tenants = realmsByTenant(records);
    homes.update(records);
    generation = current;
  }

  const logs = createAccountingLogs({
    ...options.logs,
    ...{ metrics, warn, nowMs: clock.nowMs, mark: mark.of },
    nameOf(of) {
      const name = of.kind === 'realm' ? realmOf(of)?.record.name : copyOf(of)?.name;
      return name === undefined ? undefined : `${of.kind} ${name}`;
    },
    target,
  });

  function realmOf({ tenantId, id }: Destination) {
    return tenants.get(tenantId)?.realms.find(({ record }) => record.id === id);
  }
  function copyOf({ tenantId, id }: Destination) {
    return tenants.get(tenantId)?.copies.find((copy) => copy.id === id);
  }

  function target(of: Destination): Target | undefined {
    const { tenantId, kind } = of;
    if (kind === 'copy') {
      const copy = copyOf(of);
      const ports = copy && homes.of(tenantId, [copy.homeServerId], 'acct');
      return ports && { homes: ports, choice: 'order', userNameOf: () => undefined };
    }
    const realm = realmOf(of);
    if (!realm) return undefined;
    const { homeServerIds, choice, stripUserName } = realm.record;
    return {
      homes: homes.of(tenantId, homeServerIds, 'acct'),
      choice,
      userNameOf({ packet }) {
        if (!stripUserName) return undefined;
        const tenant = tenants.get(tenantId);
        const found = tenant && inRealm(tenant, packet);
        return found?.realm === realm ? found.user : undefined;
      },
    };
  }

  return {
    name: 'proxy',
    mark,
    metrics,
    ports: homes.of,
    realmOfLogin(tenantId, packet) {
      const tenant = tenants.get(tenantId);
      if (!tenant) return undefined;
      const found = inRealm(tenant, packet);
      return found?.realm.record.authentication === 'forward' ? found : undefined;
    },
    keepAccounting({ packet, client, receivedAtMs }, isOurs) {
      const { tenantId, id: nasId } = client.record;
      const tenant = tenants.get(tenantId);
      if (!tenant) return undefined;
      const realm = inRealm(tenant, packet)?.realm;
      const to: Destination[] = tenant.copies
        .filter((copy) => copy.nasId === null || copy.nasId === nasId)
        .map(({ id }) => ({ tenantId, kind: 'copy', id }));
      const place = realm?.record.accounting ?? 'local';
      if (realm && place !== 'local') to.push({ tenantId, kind: 'realm', id: realm.record.id });
      if (to.length === 0) return undefined;
      const reason = mark.whyNot(packet, tenantId);
      // It is on disk here since it came the first time: once it is answered, nobody sends it round again.
      if (reason === 'proxy_loop') {
        metrics.loops.inc();
        return { local: false, kept: Promise.resolve() };
      }
      if (reason && place !== 'local') return reason;
      // Only its copy is not sent on: it is ours to count.
      if (reason) {
        metrics.loops.inc();
        return { local: true, kept: Promise.resolve() };
      }
      // Before anything is awaited: the packet's memory is not ours.
      const record = encodeWaiting(packet, receivedAtMs);
      const kept = Promise.all(to.map((destination) => logs.append(destination, record)));
      // Whoever gives the request up for another reason does not look at it.
      kept.catch(() => undefined);
      return { local: isOurs || place !== 'forward', kept };
    },
    async start() {
      look();
      await logs.start();
      timer ??= setInterval(look, lookEveryMs);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      const stopped = logs.stop();
      homes.close();
      await stopped;
    },
  };
}

const atSign = 0x40;
const backslash = 0x5c;

/** Most names have no realm, which their octets tell sooner than a text of them would. */
function inRealm(tenant: TenantRealms, packet: Packet): InRealm | undefined {
  const at = firstAttribute(packet, attribute.userName);
  if (at < 0) return undefined;
  const { data } = packet;
  for (let i = at + 2; i < at + 2 + valueLength(packet, at); i++) {
    if (data[i] === atSign || data[i] === backslash) return tenant.find(textAt(packet, at));
  }
  return undefined;
}
