// Error codes of the staff who log in to network devices.
export const deviceUserErrors = {
  device_user_unknown: { status: 404, title: 'There is no such device user' },
  device_user_name_taken: {
    status: 409,
    title: 'A device user of this name exists',
    constraint: 'device_user_name',
  },
} as const;
