// Remembers the last few values of a pure function per zone and variant, where one value answers for many arguments (a window for all its instants).

const valuesPerVariant = 4;

/** `recall(zone, variant, fits, compute)`: a remembered value that `fits`, else a newly computed one. There are few zones and small variants: nothing is forgotten. */
export function createRecall<Value>() {
  const remembered = new Map<string, Map<number, Value[]>>();

  return function recall(zone: string, variant: number, fits: (value: Value) => boolean, compute: () => Value): Value {
    const values = remembered.get(zone)?.get(variant);
    const known = values?.find(fits);
    if (known !== undefined) return known;
    const value = compute();
    if (values) {
      values.unshift(value);
      values.length = Math.min(values.length, valuesPerVariant);
      return value;
    }
    const variants = remembered.get(zone) ?? new Map<number, Value[]>();
    remembered.set(zone, variants.set(variant, [value]));
    return value;
  };
}
