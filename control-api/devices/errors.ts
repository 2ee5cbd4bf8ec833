// Error codes of devices.
export const deviceErrors = {
  device_unknown: { status: 404, title: 'The subscription has learned no such device' },
} as const;
