// Error codes of exporters of flows.
export const exporterErrors = {
  exporter_unknown: { status: 404, title: 'There is no such exporter' },
  exporter_address_taken: {
    status: 409,
    title: 'An exporter with this address exists, maybe in another tenant',
    constraint: 'exporter_address',
  },
} as const;
