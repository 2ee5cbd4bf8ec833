// Error codes of network access servers.
export const nasErrors = {
  nas_unknown: { status: 404, title: 'There is no such NAS' },
  nas_address_taken: {
    status: 409,
    title: 'A NAS with this address and identifier exists, maybe in another tenant',
    constraint: 'nas_address',
  },
  nas_address_foreign: {
    status: 409,
    title: 'The address lies in or around that of a NAS of another tenant',
    constraint: 'nas_of_one_tenant',
  },
  nas_in_use: { status: 409, title: 'An address pool or an accounting copy still names the NAS' },
  rotation_running: { status: 409, title: 'The secret of the NAS is being changed already' },
  rotation_unproven: { status: 409, title: 'What the NAS sends does not show that it uses the right secret' },
  rotation_count_changed: { status: 409, title: 'Not as many access servers as were confirmed' },
  unknown_client_not_listed: { status: 404, title: 'No such unknown source sends packets' },
  nas_certificate_taken: {
    status: 409,
    title: 'A NAS with this RadSec identity and NAS identifier exists, maybe in another tenant',
    constraint: 'nas_radsec_identity',
  },
  nas_certificate_foreign: {
    status: 409,
    title: 'A NAS of another tenant has this RadSec identity',
    constraint: 'nas_radsec_tenant',
  },
  nas_without_certificate: {
    status: 409,
    title: 'CoA over RadSec needs the RadSec identity of the NAS',
    constraint: 'nas_coa_over_radsec',
  },
  no_next_secret: { status: 409, title: 'The NAS has no next secret to change to' },
} as const;
