// Error codes of maintenance windows and drains.
export const nasOperationErrors = {
  maintenance_unknown: { status: 404, title: 'The NAS has no such window of maintenance, or it is over' },
  maintenance_overlaps: {
    status: 409,
    title: 'The NAS has another window of maintenance at that time: end it, or begin where it ends',
    constraint: 'nas_maintenance_overlap',
  },
  maintenance_too_long: {
    status: 409,
    title: 'The NAS would be left alone for more than 24 hours: windows less than an hour apart count as one',
  },
  drain_unknown: { status: 404, title: 'The NAS is not drained' },
  drain_running: { status: 409, title: 'The NAS is drained already', constraint: 'nas_drain_running' },
  move_unknown: { status: 404, title: 'No sessions of the NAS are being moved' },
  move_running: { status: 409, title: 'Sessions of the NAS are being moved already', constraint: 'nas_move_running' },
  move_count_changed: { status: 409, title: 'More sessions are open than were confirmed, far fewer, or none' },
  move_not_enforced: {
    status: 409,
    title: 'Nothing is sent to the NAS: its mode or that of the tenant is not enforce',
  },
} as const;
