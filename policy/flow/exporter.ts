// What an exporter of flows is to us: its role, and which of its flows count as usage.

/** edge: its flows are the usage of subscribers whose meter is flow. core: they are stored only; a byte passes many routers and counts once. */
export const exporterRoles = ['edge', 'core'] as const;
export type ExporterRole = (typeof exporterRoles)[number];

/** Which flows of an edge exporter count, by the side of the interface that saw them (element 61); flows that do not tell count always. */
export const countDirections = ['ingress', 'egress', 'both'] as const;
export type CountDirection = (typeof countDirections)[number];
