// Counters of worker threads in shared memory: each worker writes an array of its own, the main thread sums them for /metrics.
import { Counter, type Registry } from './metrics.ts';

/** Metrics with one label, or with none where `label` is missing; `values` are then one empty text. */
export type CounterFamilies = Readonly<
  Record<
    string,
    { readonly name: string; readonly help: string; readonly label?: string; readonly values: readonly string[] }
  >
>;

export type CounterLayout<F extends CounterFamilies> = {
  /** How many numbers the families take: what a worker counts besides lies behind them. */
  readonly size: number;
  /** Place of a counter in the array; look it up once, not per packet. */
  offset<N extends keyof F>(family: N, value: F[N]['values'][number]): number;
};

export function counterLayout<const F extends CounterFamilies>(families: F): CounterLayout<F> {
  const offsets = new Map<string, number>();
  for (const [family, { values }] of Object.entries(families)) {
    for (const value of values) offsets.set(`${family}.${value}`, offsets.size);
  }
  return {
    size: offsets.size,
    offset(family, value) {
      const offset = offsets.get(`${String(family)}.${value}`);
      if (offset === undefined) throw new Error(`no counter ${String(family)}.${value}`);
      return offset;
    },
  };
}

/** Doubles, written by one thread only; a reader sees each of them whole. */
export function createCounterBuffer(size: number): SharedArrayBuffer {
  return new SharedArrayBuffer(size * Float64Array.BYTES_PER_ELEMENT);
}

/** Sum of one place over workers. */
export function sumAt(arrays: readonly Float64Array[], offset: number): number {
  return arrays.reduce((sum, array) => sum + (array[offset] ?? 0), 0);
}

/** Shows the families as metrics, summed when they are asked for. */
export function registerSharedCounters<F extends CounterFamilies>(
  registry: Registry,
  families: F,
  layout: CounterLayout<F>,
  arrays: () => readonly Float64Array[],
): void {
  for (const [family, { name, help, label, values }] of Object.entries(families)) {
    new Counter({
      name,
      help,
      labelNames: label === undefined ? [] : [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const value of values) {
          const sum = sumAt(arrays(), layout.offset(family, value));
          this.inc(label === undefined ? {} : { [label]: value }, sum);
        }
      },
    });
  }
}
