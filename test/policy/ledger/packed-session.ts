// The packed fields of a session that a test writes into the store by itself, as lua/session.lua packs them.
import { createPacker } from '#policy/ledger/packer.ts';

export type SessionFacts = { tenantId: number; subscriptionId: number; startedAtMs: number };

/** An open session, the first incarnation, that sent nothing yet. */
export function packedSession({ tenantId, subscriptionId, startedAtMs }: SessionFacts) {
  const times = createPacker();
  const numbers = [
    // Incarnation, the next one, fingerprint; started, first and last event, counters taken at.
    ...[1, 3, 2, 3, 0, 4, startedAtMs, 6, startedAtMs, 6, startedAtMs, 6, startedAtMs, 6],
    // Session-Time at, stop, Session-Time, that of the counters (one more, 0: none); gigawords seen; began with a Start, not closed, open.
    ...[0, 6, 0, 6, 1, 5, 0, 5, 0, 1, 0, 1, 2, 1, 0, 1, 1, 1],
  ];
  for (let i = 0; i + 1 < numbers.length; i += 2) times.uint(numbers[i]!, numbers[i + 1]!);
  const totals = createPacker();
  for (const length of [7, 7, 7, 7]) totals.uint(0, length);
  totals.uint(tenantId, 6);
  totals.uint(subscriptionId, 6);
  return { times: times.take(), totals: totals.take() };
}
