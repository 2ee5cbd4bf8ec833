// Evaluations of one subscription at the same moment: the newest acts, and what may be postponed leaves it to whoever is at it.

export type Turn = { readonly member: string; readonly number: number };

export function createTurns() {
  /** Numbers of the newest turns under way, by subscription. */
  const newest = new Map<string, number>();
  let last = 0;

  return {
    /** Null: somebody is at it, and this may be postponed: it takes no turn from what would then wait for it. */
    take(member: string, postpone: boolean): Turn | null {
      if (postpone && newest.has(member)) return null;
      const turn = { member, number: ++last };
      newest.set(member, turn.number);
      return turn;
    },
    /** Whether no later one was taken. */
    isNewest: ({ member, number }: Turn) => newest.get(member) === number,
    /** To be called for every turn, whatever came of it: who is left in here the sweep passes over. */
    end({ member, number }: Turn): void {
      if (newest.get(member) === number) newest.delete(member);
    },
  };
}
