// Error codes of network access servers.
export const nasErrors = {
  nas_unknown: { status: 404, title: 'There is no such NAS' },
  nas_address_taken: {
    status: 409,
    title: 'A NAS with this address and identifier exists, maybe in another tenant',
    constraint: 'nas_address',
  },
  no_next_secret: { status: 409, title: 'The NAS has no next secret to change to' },
} as const;
