// Which access servers have metrics of their own, and how these are labelled.
import type { NasRecord } from './subscribers/records.ts';

const limit = 1024;

/** Those with the lowest ids: as many as a Prometheus bears, and always the same. */
export function shownNases(nases: readonly NasRecord[]): NasRecord[] {
  return nases.toSorted((a, b) => a.id - b.id).slice(0, limit);
}

export const nasLabels = ['tenant', 'nas', 'name'] as const;

export function labelsOfNas({ tenantId, id, name }: NasRecord): Record<(typeof nasLabels)[number], string> {
  return { tenant: String(tenantId), nas: String(id), name };
}
