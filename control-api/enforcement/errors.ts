// Error codes of enforcement and its brake.
export const enforcementErrors = {
  brake_unknown: { status: 404, title: 'There is no such held evaluation' },
  brake_count_differs: { status: 409, title: 'The confirmed count is not the number of held sessions' },
} as const;
