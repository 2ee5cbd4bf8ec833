// The senders of flows that a worker remembers: exporters of the operator, and a bounded number of strangers.
import { type IpAddress, parseAddress, wordsOf } from '#ops/runtime/ip.ts';
import type { CountDirection } from '#policy/flow/exporter.ts';
import { countIndex } from '../wire/counts.ts';
import { createExporter, type Exporter } from '../wire/exporter.ts';
import type { ExporterSetting, ExporterSettings } from './settings.ts';
import { createTenantLookup, type TenantLookup } from './tenants.ts';

export type Sender = {
  /** What decoding knows of it. `index` is its place in `byIndex`. */
  readonly exporter: Exporter;
  readonly address: IpAddress;
  /** The address as four words of IPv6. */
  readonly exporterWords: Uint32Array;
  /** 0: nobody's; its flows are not kept. */
  tenantId: number;
  /** The same for the address index. */
  tenant: number;
  /** 0: no exporter yet. */
  exporterId: number;
  /** Its flows are usage of subscribers whose meter is flow. */
  countsUsage: boolean;
  countDirection: CountDirection;
  setting: ExporterSetting | undefined;
  lastSeenMs: number;
  readonly countedSinceMs: number;
  unattributed: number;
  sampled: number;
};

export type Senders = {
  /** Undefined for a stranger when too many of them are remembered. */
  find(address: string, nowMs: number): Sender | undefined;
  /** Undefined when the sender has been forgotten. */
  byIndex(index: number): Sender | undefined;
  configure(settings: ExporterSettings): void;
  all(): Iterable<Sender>;
};

export type SendersOptions = {
  settings: ExporterSettings;
  /** The number of a tenant in the address index. */
  tenantNumber(tenantId: number): number;
  /** A stranger is forgotten: what it counted is to be taken over. */
  onForgotten(sender: Sender): void;
  mostStrangers?: number;
};

/** A stranger that was silent for so long gives way to another. */
const silentMs = 600_000;
const lookEveryMs = 1000;

export function createSenders({ settings, tenantNumber, onForgotten, mostStrangers = 1000 }: SendersOptions): Senders {
  const senders = new Map<string, Sender>();
  const places: (Sender | undefined)[] = [];
  const free: number[] = [];
  let known = new Map<string, ExporterSetting>();
  let tenantOf: TenantLookup = createTenantLookup([]);
  let strangers = 0;
  let lookedAtMs = Number.NEGATIVE_INFINITY;

  function apply(sender: Sender): void {
    const setting = known.get(sender.exporter.address);
    sender.setting = setting;
    sender.exporterId = setting?.id ?? 0;
    sender.tenantId = setting?.tenantId ?? tenantOf(sender.address) ?? 0;
    sender.tenant = tenantNumber(sender.tenantId);
    sender.countsUsage = setting?.role === 'edge';
    sender.countDirection = setting?.countDirection ?? 'ingress';
    sender.exporter.known = setting !== undefined;
    sender.exporter.samplingRate = setting?.samplingRate ?? null;
    sender.exporter.totalsAreDeltas = setting?.totalsAreDeltas ?? false;
  }

  function configure(next: ExporterSettings): void {
    known = new Map(next.exporters.map((setting) => [setting.address, setting]));
    tenantOf = createTenantLookup(next.prefixes);
    for (const sender of senders.values()) apply(sender);
    strangers = [...senders.values()].filter(({ setting }) => setting === undefined).length;
  }

  function forgetSilent(nowMs: number): void {
    if (nowMs >= lookedAtMs && nowMs - lookedAtMs < lookEveryMs) return;
    lookedAtMs = nowMs;
    for (const [address, sender] of senders) {
      if (sender.setting || nowMs - sender.lastSeenMs < silentMs) continue;
      senders.delete(address);
      places[sender.exporter.index] = undefined;
      free.push(sender.exporter.index);
      strangers--;
      onForgotten(sender);
    }
  }

  function add(address: string, nowMs: number): Sender | undefined {
    const parsed = parseAddress(address);
    if (!parsed) return undefined;
    const isStranger = !known.has(address);
    if (isStranger && strangers >= mostStrangers) {
      forgetSilent(nowMs);
      if (strangers >= mostStrangers) return undefined;
    }
    const index = free.pop() ?? places.length;
    const sender: Sender = {
      exporter: createExporter(address, index),
      address: parsed,
      exporterWords: wordsOf(parsed),
      tenantId: 0,
      tenant: 0,
      exporterId: 0,
      countsUsage: false,
      countDirection: 'ingress',
      setting: undefined,
      lastSeenMs: nowMs,
      countedSinceMs: nowMs,
      unattributed: 0,
      sampled: 0,
    };
    apply(sender);
    if (isStranger) strangers++;
    places[index] = sender;
    senders.set(address, sender);
    return sender;
  }

  configure(settings);
  return {
    find: (address, nowMs) => senders.get(address) ?? add(address, nowMs),
    byIndex: (index) => places[index],
    configure,
    all: () => senders.values(),
  };
}

/** At least one datagram of it could be read. */
export function hasSpoken({ exporter: { counts } }: Sender): boolean {
  const unreadable = (['too_short', 'bad_version', 'unsupported_version'] as const).reduce(
    (sum, reason) => sum + (counts[countIndex[reason]] as number),
    0,
  );
  return (counts[countIndex.packets] as number) > unreadable;
}
