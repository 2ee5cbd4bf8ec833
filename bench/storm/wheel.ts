// Many timers, one per thing, looked at every few milliseconds from instant 0 on: setting one again replaces it.

export type Wheel = {
  /** `thing` is due at `atMs`, and at no other instant. */
  set(thing: number, atMs: number): void;
  cancel(thing: number): void;
  /** Calls for everything that is due by `nowMs`. */
  advance(nowMs: number): void;
};

const never = -1;

/** @param things that have a timer each: 0 … things − 1 */
export function createWheel(things: number, tickMs: number, onDue: (thing: number, nowMs: number) => void): Wheel {
  const dueTick = new Float64Array(things).fill(never);
  const slots = new Map<number, number[]>();
  let passed = -1;

  return {
    set(thing, atMs) {
      const tick = Math.max(passed + 1, Math.ceil(atMs / tickMs));
      dueTick[thing] = tick;
      const slot = slots.get(tick);
      if (slot) slot.push(thing);
      else slots.set(tick, [thing]);
    },
    cancel(thing) {
      dueTick[thing] = never;
    },
    advance(nowMs) {
      const last = Math.floor(nowMs / tickMs);
      while (passed < last) {
        const tick = ++passed;
        const slot = slots.get(tick);
        slots.delete(tick);
        for (const thing of slot ?? []) {
          if (dueTick[thing] !== tick) continue;
          dueTick[thing] = never;
          onDue(thing, nowMs);
        }
      }
    },
  };
}
