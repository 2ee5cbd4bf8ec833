// The addresses an access server gives to subscribers that have none of their own; one that was given back rests the longest.

export type AddressPool = {
  /** @throws when none is left. */
  take(): string;
  giveBack(address: string): void;
};

/** 10.64.0.0/16 for the first access server, 10.65.0.0/16 for the next … */
export function createAddressPool(place: number): AddressPool {
  const rested: string[] = [];
  let fresh = 0;
  const own = new Set<string>();
  return {
    take() {
      if (fresh >= 65_000) {
        const address = rested.shift();
        if (address === undefined) throw new Error('an access server has no address left');
        return address;
      }
      fresh++;
      const address = `10.${64 + place}.${fresh >> 8}.${fresh & 255}`;
      own.add(address);
      return address;
    },
    giveBack(address) {
      if (own.has(address)) rested.push(address);
    },
  };
}
