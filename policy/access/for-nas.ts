// What of an outcome an access server can really do.
import type { Outcome } from './outcome.ts';

/** A walled garden that is not verified for the vendor might be the whole Internet: it becomes a reject. */
export function forNas(outcome: Outcome, nas: { readonly gardenVerified: boolean }): Outcome {
  if (outcome.kind !== 'walled_garden' || nas.gardenVerified) return outcome;
  return { kind: 'reject', reason: outcome.reason };
}
