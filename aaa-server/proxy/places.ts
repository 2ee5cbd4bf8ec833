// A number of places: whoever comes when all are taken waits for one, in the order of coming.
export type Places = {
  /** Settles when there is a place, which is then taken. */
  take(): Promise<void>;
  leave(): void;
};

export function createPlaces(count: number): Places {
  const waiting: (() => void)[] = [];
  let free = count;
  return {
    async take() {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
    },
    leave() {
      const next = waiting.shift();
      if (next) next();
      else free++;
    },
  };
}
