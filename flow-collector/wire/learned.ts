// What decoders tell each other and keep over a restart: templates and sampling rates as plain JSON.
import { tier } from './bounded.ts';
import type { Limits } from './limits.ts';
import { type SamplingRate, type SamplingScope, samplingScopes } from './sampling.ts';
import type { Domain, Senders } from './senders.ts';
import { isOf, type Template, type TemplateKind, unpackFields } from './template.ts';

type Place = {
  /** `Exporter.address`. */
  readonly exporter: string;
  readonly version: number;
  readonly sourceId: number;
};

export type LearnedTemplate = Place & {
  readonly kind: 'template';
  readonly id: number;
  readonly of: TemplateKind;
  /** How many of the first fields are the scope of an options template. */
  readonly scopeFields: number;
  /** Element and length of each. */
  readonly fields: readonly (readonly [number, number])[];
  readonly announcedAtMs: number;
};

export type LearnedRate = Place & {
  readonly kind: 'rate';
  readonly scope: SamplingScope;
  readonly key: number;
  readonly rate: number;
};

export type Learned = LearnedTemplate | LearnedRate;

export type Snapshot = {
  readonly format: 1;
  /** Templates that have decoded data, and sampling rates. */
  readonly learned: readonly Learned[];
  /** Where each domain stood, so that an exporter that started anew in the meantime is noticed. */
  readonly domains: readonly (Place & { readonly uptimeMs: number; readonly sequence: number })[];
};

export function learnedTemplate(domain: Domain, template: Template): LearnedTemplate {
  const { id, kind, scopeFields, layout, announcedAtMs } = template;
  const fields = unpackFields(layout).map(({ element, length }) => [element, length] as const);
  return { kind: 'template', ...placeOf(domain), id, of: kind, scopeFields, fields, announcedAtMs };
}

export function learnedRate(domain: Domain, { scope, key, rate }: SamplingRate): LearnedRate {
  return { kind: 'rate', ...placeOf(domain), scope, key, rate };
}

function placeOf({ sender, version, sourceId }: Domain): Place {
  return { exporter: sender.key, version, sourceId };
}

/** Leaves out what never decoded anything: a flood of forged templates does not get into the file. */
export function takeSnapshot(senders: Senders): Snapshot {
  const learned: Learned[] = [];
  const domains: Snapshot['domains'][number][] = [];
  for (const sender of senders.values()) {
    if (sender.tier === tier.fresh) continue;
    for (const domain of sender.domains.values()) {
      learned.push(...templatesOf(domain), ...ratesOf(domain));
      const { uptimeMs, sequence } = domain;
      if (uptimeMs >= 0) domains.push({ ...placeOf(domain), uptimeMs, sequence: sequence.expected });
    }
  }
  return { format: 1, learned, domains };
}

function templatesOf(domain: Domain): LearnedTemplate[] {
  return [...domain.sender.templates.values()]
    .filter((template) => isOf(domain, template.key) && template.tier !== tier.fresh)
    .map((template) => learnedTemplate(domain, template));
}

function ratesOf(domain: Domain): LearnedRate[] {
  return samplingScopes.flatMap((scope) =>
    [...domain.sampling.rates[scope]].map(([key, rate]) => learnedRate(domain, { scope, key, rate })),
  );
}

export type ReadSnapshot = {
  readonly learned: readonly Learned[];
  readonly domains: Snapshot['domains'];
  /** Entries that are none. */
  readonly rejected: number;
};

/** Checks a snapshot that comes from a file: what is no entry is left out and counted. */
export function readSnapshot(json: unknown, limits: Limits): ReadSnapshot {
  const { format, learned, domains } = isObject(json) ? json : {};
  if (format !== 1 || !Array.isArray(learned) || !Array.isArray(domains))
    return { learned: [], domains: [], rejected: 1 };
  const good = learned.filter((entry) => isLearned(entry, limits));
  const goodDomains = domains.filter(
    (entry): entry is Snapshot['domains'][number] =>
      isPlace(entry) && isInteger(entry.uptimeMs, 0, 2 ** 32 - 1) && isInteger(entry.sequence, 0, 2 ** 32 - 1),
  );
  const rejected = learned.length + domains.length - good.length - goodDomains.length;
  return { learned: good, domains: goodDomains, rejected };
}

export function isLearned(entry: unknown, limits: Limits): entry is Learned {
  if (!isPlace(entry)) return false;
  if (entry.kind === 'rate') {
    return (
      samplingScopes.some((scope) => scope === entry.scope) &&
      isInteger(entry.key, 0, 2 ** 32 - 1) &&
      isInteger(entry.rate, 1, 2 ** 32 - 1)
    );
  }
  return (
    entry.kind === 'template' &&
    isInteger(entry.id, 256, 65535) &&
    (entry.of === 'data' || entry.of === 'options') &&
    isInteger(entry.announcedAtMs, 0, Number.MAX_SAFE_INTEGER) &&
    Array.isArray(entry.fields) &&
    isInteger(entry.fields.length, 1, limits.fieldsPerTemplate) &&
    isInteger(entry.scopeFields, 0, entry.fields.length) &&
    entry.fields.every(
      (field) => Array.isArray(field) && field.length === 2 && field.every((number) => isInteger(number, 0, 65535)),
    )
  );
}

function isPlace(entry: unknown): entry is Place & Record<string, unknown> {
  return (
    isObject(entry) &&
    typeof entry.exporter === 'string' &&
    entry.exporter.length <= 64 &&
    isInteger(entry.version, 1, 10) &&
    isInteger(entry.sourceId, 0, 2 ** 32 - 1)
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isInteger(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}
