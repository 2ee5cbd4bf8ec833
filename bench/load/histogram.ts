// Latencies in buckets that grow with the value (the idea of HdrHistogram): below 1 % off at any size, and recording one costs nothing.

export type Histogram = {
  /** Microseconds; below 0 counts as 0. */
  record(us: number): void;
  count(): number;
  /** Microseconds that the share `quantile` (0 … 1) of the values does not exceed; 0 without values. */
  quantile(quantile: number): number;
  reset(): void;
};

/** Each doubling of the value has so many buckets. */
const perOctave = 128;
const perOctaveBits = 7;
const largest = 2 ** 31 - 1;

export function createHistogram(): Histogram {
  const buckets = new Float64Array(perOctave * (32 - perOctaveBits));
  let count = 0;

  return {
    record(us) {
      const bucket = bucketOf(Math.min(largest, Math.max(0, Math.round(us))));
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
      count++;
    },
    count: () => count,
    quantile(quantile) {
      const wanted = Math.max(1, Math.ceil(count * quantile));
      let seen = 0;
      for (const [bucket, values] of buckets.entries()) {
        seen += values;
        if (seen >= wanted) return upperEnd(bucket);
      }
      return 0;
    },
    reset() {
      buckets.fill(0);
      count = 0;
    },
  };
}

/** Values below 128 have a bucket each; above, the leading eight bits tell the bucket. */
function bucketOf(value: number): number {
  if (value < perOctave) return value;
  const shift = 31 - Math.clz32(value) - perOctaveBits;
  return perOctave * shift + (value >>> shift);
}

function upperEnd(bucket: number): number {
  if (bucket < 2 * perOctave) return bucket;
  const shift = Math.floor(bucket / perOctave) - 1;
  return (bucket - perOctave * shift + 1) * 2 ** shift - 1;
}
