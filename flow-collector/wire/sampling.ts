// Which sampling rate a flow has, by what its exporter's option records say (RFC 3954 §6.1, RFC 5477 §8.2).
import { type FlowColumns, flag } from './columns.ts';

/** What a rate was announced for. `card` also stands for other scopes that a flow does not name. */
export const samplingScopes = ['system', 'sampler', 'interface', 'card', 'template'] as const;
export type SamplingScope = (typeof samplingScopes)[number];

/** `key` is the sampler's id, the interface, card or template id; 0 for the system. One packet of `rate`. */
export type SamplingRate = { readonly scope: SamplingScope; readonly key: number; readonly rate: number };

/** What one observation domain has announced. */
export type Sampling = {
  readonly rates: Readonly<Record<SamplingScope, Map<number, number>>>;
  /** Of flows that name no sampler: 0 = nothing announced. */
  general: number;
  /** Several samplers, and none is meant for all. */
  isAmbiguous: boolean;
};

/** Of one scope: a chassis has fewer interfaces. */
const maxRates = 4096;

export function createSampling(): Sampling {
  const rates = { system: new Map(), sampler: new Map(), interface: new Map(), card: new Map(), template: new Map() };
  return { rates, general: 0, isAmbiguous: false };
}

/** Notes a rate; says whether it is news. Further ones than 4096 of a scope are left out. */
export function learnRate(sampling: Sampling, { scope, key, rate }: SamplingRate): boolean {
  const rates = sampling.rates[scope];
  if (rates.get(key) === rate || (rates.size >= maxRates && !rates.has(key))) return false;
  rates.set(key, rate);
  const distinct = new Set([...sampling.rates.sampler.values(), ...sampling.rates.card.values()]);
  const [only = 0] = distinct;
  const system = sampling.rates.system.get(0) ?? 0;
  sampling.general = system || (distinct.size === 1 ? only : 0);
  sampling.isAmbiguous = system === 0 && distinct.size > 1;
  return true;
}

/** Which rate a flow has that names nothing: of its template, else of the whole domain; 0 = not announced. */
export function generalRate(sampling: Sampling, templateId: number): number {
  return sampling.rates.template.get(templateId) ?? sampling.general;
}

/**
 * Sets the rate of rows [from, to) that name a sampler or a rate, or whose domain has rates by interface; returns how many stay unknown.
 * `names` says what the rows told: a sampler (column `sampler`) or a rate (column `samplingRate`, 0 = none). `general` is the rate of rows
 * that name nothing, undefined when it may be one of several; `fallback` is the rate of unknown ones.
 */
export function assignRates(
  columns: FlowColumns,
  from: number,
  to: number,
  sampling: Sampling,
  general: number | undefined,
  fallback: number,
  names: 'sampler' | 'rate' | 'nothing',
): number {
  let unknown = 0;
  for (let row = from; row < to; row++) {
    if (names !== 'nothing' && columns.samplingRate[row] !== 0) continue;
    const known =
      names === 'sampler'
        ? rateBySampler(columns, row, sampling, general ?? fallback)
        : (rateByInterface(columns, row, sampling) ?? general);
    columns.samplingRate[row] = known ?? fallback;
    if (known === undefined) {
      columns.flags[row] = (columns.flags[row] as number) | flag.samplingUnknown;
      unknown++;
    }
  }
  return unknown;
}

function rateBySampler(columns: FlowColumns, row: number, sampling: Sampling, general: number): number | undefined {
  const { rates } = sampling;
  const id = columns.sampler[row] as number;
  const rate = rates.sampler.get(id) ?? rateByInterface(columns, row, sampling) ?? rates.system.get(0);
  if (rate !== undefined || id !== 0) return rate;
  // Sampler 0 where others are described: nothing samples at this interface.
  return rates.sampler.size > 0 ? 1 : general;
}

function rateByInterface(columns: FlowColumns, row: number, { rates }: Sampling): number | undefined {
  if (rates.interface.size === 0) return undefined;
  return rates.interface.get(columns.inIf[row] as number) ?? rates.interface.get(columns.outIf[row] as number);
}
