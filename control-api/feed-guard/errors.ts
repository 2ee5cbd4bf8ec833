// Error codes of the guard of the subscriber snapshot.
export const feedGuardErrors = {
  feed_guard_count_differs: { status: 409, title: 'The confirmed count is not the number of held removals' },
  aaa_unavailable: { status: 503, title: 'aaa-server does not answer on its admin port; try again' },
} as const;
