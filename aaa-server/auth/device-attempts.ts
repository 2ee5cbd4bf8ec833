// How often a password of one user is tried at one access server before further tries are refused unseen: guessing gets slow, memory stays bounded.

export type DeviceAttempts = {
  /** Takes one try; false when there is none left for now. */
  take(nasId: number, userName: string, known: boolean): boolean;
  /** The password was right: whoever knows it has every try again. */
  succeeded(nasId: number, userName: string): void;
};

type Tries = { left: number; filledAtMs: number };

const burst = 5;
const eachMs = 30_000;

/** @param capacity of names that are ours, and again of names that are not, so that made-up ones displace nobody */
export function createDeviceAttempts(clock: { monotonicMs(): number }, capacity = 10_000): DeviceAttempts {
  const ours = createTries(clock, capacity);
  const others = createTries(clock, capacity);
  const keyOf = (nasId: number, userName: string) => `${nasId} ${userName}`;
  return {
    take: (nasId, userName, known) => (known ? ours : others).take(keyOf(nasId, userName)),
    succeeded: (nasId, userName) => ours.forget(keyOf(nasId, userName)),
  };
}

function createTries(clock: { monotonicMs(): number }, capacity: number) {
  // Two halves: when the newer one is full it becomes the older, which is forgotten.
  let newer = new Map<string, Tries>();
  let older = new Map<string, Tries>();
  return {
    take(key: string): boolean {
      const nowMs = clock.monotonicMs();
      const before = newer.get(key) ?? older.get(key) ?? { left: burst, filledAtMs: nowMs };
      const left = Math.min(burst, before.left + (nowMs - before.filledAtMs) / eachMs);
      const taken = left >= 1;
      if (newer.size >= capacity / 2 && !newer.has(key)) {
        older = newer;
        newer = new Map();
      }
      newer.set(key, { left: taken ? left - 1 : left, filledAtMs: nowMs });
      return taken;
    },
    forget(key: string): void {
      newer.delete(key);
      older.delete(key);
    },
  };
}
