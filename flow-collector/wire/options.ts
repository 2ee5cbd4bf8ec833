// Reads option records for the sampling rates they announce (RFC 3954 §6.1; RFC 5476 §6.5.2 where exporters send its elements in version 9).

import { variableLength } from './layout.ts';
import type { SamplingRate, SamplingScope } from './sampling.ts';
import { type Template, unpackFields } from './template.ts';

/** Scope types of version 9; other numbers are elements. */
const scopeOfType: Readonly<Record<number, SamplingScope>> = {
  1: 'system',
  2: 'interface',
  3: 'card',
  4: 'system',
  5: 'template',
};

/** Calls `visit` with the rate of each record in [at, end) that announces one; returns how many records there were. */
export function readOptions(
  template: Template,
  view: DataView,
  at: number,
  end: number,
  visit: (rate: SamplingRate) => void,
): number {
  const fields = unpackFields(template.layout);
  const values = new Map<number, number>();
  let records = 0;
  let from = at;
  while (from < end) {
    values.clear();
    let scope: SamplingScope = 'system';
    let key = 0;
    let next = from;
    for (const [i, { element, length }] of fields.entries()) {
      const value = valueAt(view, next, end, length);
      if (!value || value.end > end) return records;
      next = value.end;
      const named = i < template.scopeFields ? scopeOfType[element] : undefined;
      if (named) {
        scope = named;
        key = value.number;
      } else if (value.length > 0) values.set(element, value.number);
    }
    if (next === from) return records;
    records++;
    const rate = rateOf(values);
    if (rate !== undefined) visit(toRate(scope, key, values, rate));
    from = next;
  }
  return records;
}

function toRate(scope: SamplingScope, key: number, values: ReadonlyMap<number, number>, rate: number): SamplingRate {
  const sampler = values.get(48) ?? values.get(302);
  if (sampler !== undefined) return { scope: 'sampler', key: sampler, rate };
  // Interface 0 is none in particular.
  return scope === 'system' || key === 0 ? { scope: 'system', key: 0, rate } : { scope, key, rate };
}

/** One packet of how many; 0 on the wire says that nothing samples. Undefined when the record tells no rate. */
function rateOf(values: ReadonlyMap<number, number>): number | undefined {
  const interval = values.get(305);
  const size = values.get(309);
  const population = values.get(310);
  const rate =
    values.get(34) ??
    values.get(50) ??
    (interval ? (interval + (values.get(306) ?? 0)) / interval : undefined) ??
    (size && population !== undefined ? population / size : undefined);
  return rate === undefined ? undefined : Math.min(2 ** 32 - 1, Math.max(1, Math.round(rate)));
}

type Value = { readonly number: number; readonly length: number; readonly end: number };

/** The field at `at` and where it ends; numbers longer than four octets count by their last four. Undefined when a length lies beyond `end`. */
function valueAt(view: DataView, at: number, end: number, declared: number): Value | undefined {
  let from = at;
  let length = declared;
  if (declared === variableLength) {
    if (from + 1 > end) return undefined;
    length = view.getUint8(from++);
    if (length === 255) {
      if (from + 2 > end) return undefined;
      length = view.getUint16(from);
      from += 2;
    }
  }
  if (from + length > end) return undefined;
  let number = 0;
  for (let i = Math.max(0, length - 4); i < length; i++) number = number * 256 + view.getUint8(from + i);
  return { number, length, end: from + length };
}
