// How often a password of one user is tried at one device before further tries are refused unseen: guessing gets slow, memory stays bounded.

/** Who tries where. `instance`: the device; `station`: where the login comes from, as the device says, '' when it does not. */
export type Trying = { readonly instance: string; readonly station: string; readonly userName: string };

export type DeviceAttempts = {
  /** Takes one try; false when there is none left for now. */
  take(trying: Trying, known: boolean): boolean;
  /** The password was right: whoever knows it has every try again. */
  succeeded(trying: Trying): void;
};

type Limit = { readonly burst: number; readonly eachMs: number };
type Tries = { left: number; filledAtMs: number };

/** From one place. */
const ofStation: Limit = { burst: 5, eachMs: 30_000 };
/** From all places together: so many that who guesses from one does not keep out who logs in from another. */
const ofDevice: Limit = { burst: 100, eachMs: 3000 };

/** @param capacity of names that are ours, and again of names that are not, so that made-up ones displace nobody */
export function createDeviceAttempts(clock: { monotonicMs(): number }, capacity = 10_000): DeviceAttempts {
  const of = () => ({
    stations: createTries(clock, capacity, ofStation),
    devices: createTries(clock, capacity, ofDevice),
  });
  const [ours, others] = [of(), of()];
  const deviceOf = ({ instance, userName }: Trying) => JSON.stringify([instance, userName]);
  const stationOf = ({ instance, userName, station }: Trying) => JSON.stringify([instance, userName, station]);
  return {
    take(trying, known) {
      const { stations, devices } = known ? ours : others;
      // In this order: what is refused takes nothing from others, and made-up stations displace none while there is nothing left.
      return devices.left(deviceOf(trying)) >= 1 && stations.take(stationOf(trying)) && devices.take(deviceOf(trying));
    },
    succeeded(trying) {
      ours.stations.forget(stationOf(trying));
      ours.devices.giveBack(deviceOf(trying));
    },
  };
}

function createTries(clock: { monotonicMs(): number }, capacity: number, { burst, eachMs }: Limit) {
  // Two halves: when the newer one is full it becomes the older, which is forgotten.
  let newer = new Map<string, Tries>();
  let older = new Map<string, Tries>();

  function left(key: string): number {
    const before = newer.get(key) ?? older.get(key);
    return before ? Math.min(burst, before.left + (clock.monotonicMs() - before.filledAtMs) / eachMs) : burst;
  }
  function set(key: string, tries: number): void {
    if (newer.size >= capacity / 2 && !newer.has(key)) {
      older = newer;
      newer = new Map();
    }
    newer.set(key, { left: tries, filledAtMs: clock.monotonicMs() });
  }

  return {
    left,
    take(key: string): boolean {
      const now = left(key);
      const taken = now >= 1;
      set(key, taken ? now - 1 : now);
      return taken;
    },
    giveBack: (key: string) => set(key, Math.min(burst, left(key) + 1)),
    forget(key: string): void {
      newer.delete(key);
      older.delete(key);
    },
  };
}
