// The ports of home servers that this worker asks, each opened when it is first needed and kept as long as its record says the same.
import { messageOf } from '#ops/runtime/errors.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import { isOwnListener, type OwnListeners } from '#ops/runtime/own-listeners.ts';
import { homeServerPlace } from '#policy/proxy/settings.ts';
import type { HomeServerRecord, ProxyRecord } from '../subscribers/records-of-proxy.ts';
import { createSecret } from '../wire/md5.ts';
import type { HealthTimings } from './health.ts';
import { createHomePort, type HomePort, type HomePortKind } from './home-port.ts';
import type { HomePortLabels, ProxyMetrics } from './metrics.ts';

export type HomePorts = {
  /** Those of these servers that can be used at all, in their order. */
  of(tenantId: number, serverIds: readonly number[], kind: HomePortKind): HomePort[];
  /** Takes over what the snapshot says now. */
  update(records: readonly ProxyRecord[]): void;
  /** What waits for an answer, by port. */
  outstanding(): { readonly labels: HomePortLabels; readonly requests: number }[];
  close(): void;
};

export type HomePortsOptions = {
  readonly keyring: Keyring;
  /** Asked late: a port may be chosen by the system. */
  own(): OwnListeners;
  readonly timings: HealthTimings;
  readonly metrics: ProxyMetrics;
  monotonicMs(): number;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
};

type Known = { readonly tenantId: number; readonly record: HomeServerRecord; readonly text: string };
type Open = {
  readonly text: string;
  readonly labels: HomePortLabels /** Null: it cannot be used. */;
  readonly port: HomePort | null;
};

export function createHomePorts(options: HomePortsOptions): HomePorts {
  const { keyring, own, timings, metrics, monotonicMs, warn } = options;
  let known = new Map<number, Known>();
  const open = new Map<string, Open>();

  function make({ tenantId, record }: Known, kind: HomePortKind, labels: HomePortLabels): HomePort | null {
    const port = kind === 'auth' ? record.authPort : record.acctPort;
    const fields = { tenant: tenantId, homeServer: record.name, address: record.address, port };
    if (isOwnListener(own(), record.address, port)) {
      warn('a home server is one of our own listeners: it is not asked', fields);
      return null;
    }
    try {
      const place = homeServerPlace(tenantId, record.address);
      const secret = createSecret(keyring.decrypt('nas', place, record.secretCipher));
      const made = createHomePort({
        ...{ server: record, kind, secret, timings, monotonicMs },
        metrics: metrics.ofPort(labels),
        onState(state) {
          metrics.showState(labels, state);
          warn(`a home server is ${state} now`, fields);
        },
        onError: (error) => warn('a home server cannot be sent to', { ...fields, err: error }),
      });
      metrics.showState(labels, made.state());
      return made;
    } catch (error) {
      warn('the secret of a home server cannot be used', { ...fields, problem: messageOf(error) });
      return null;
    }
  }

  function shut(key: string): void {
    const one = open.get(key);
    one?.port?.close();
    if (one) metrics.forgetState(one.labels);
    open.delete(key);
  }

  function portOf(tenantId: number, id: number, kind: HomePortKind): HomePort | null {
    const key = `${id}/${kind}`;
    const server = known.get(id);
    if (!server || server.tenantId !== tenantId) return null;
    const one = open.get(key);
    if (one) return one.port;
    const labels = { tenant: String(tenantId), home_server: server.record.name, port: kind };
    const port = make(server, kind, labels);
    open.set(key, { text: server.text, labels, port });
    return port;
  }

  return {
    of: (tenantId, serverIds, kind) => serverIds.flatMap((id) => portOf(tenantId, id, kind) ?? []),
    update(records) {
      known = new Map(
        records.flatMap(({ tenantId, homeServers }) =>
          homeServers.map((record) => [record.id, { tenantId, record, text: JSON.stringify(record) }] as const),
        ),
      );
      for (const [key, { text }] of open) {
        if (known.get(Number.parseInt(key, 10))?.text !== text) shut(key);
      }
    },
    outstanding: () =>
      [...open.values()].flatMap(({ port, labels }) => (port ? [{ labels, requests: port.outstanding() }] : [])),
    close() {
      for (const key of [...open.keys()]) shut(key);
    },
  };
}
