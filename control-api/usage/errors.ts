// Error codes of usage and its history.
export const usageErrors = {
  series_too_long: { status: 400, title: 'The series has too many steps: at most 92 days of hours, or 800 days' },
  history_unavailable: { status: 503, title: 'ClickHouse, which holds the history of usage, is away; try again' },
} as const;
