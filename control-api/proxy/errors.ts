// Error codes of the RADIUS proxy.
export const proxyErrors = {
  home_server_unknown: { status: 404, title: 'There is no such home server' },
  home_server_name_taken: {
    status: 409,
    title: 'A home server with this name exists',
    constraint: 'home_server_name',
  },
  home_server_is_ours: {
    status: 422,
    title: 'The home server would be a RADIUS port of our own: requests would go round',
  },
  home_server_in_use: { status: 409, title: 'A realm or an accounting copy still uses the home server' },
  realm_unknown: { status: 404, title: 'There is no such realm' },
  realm_name_taken: { status: 409, title: 'The realm has an entry already', constraint: 'realm_name' },
  realm_without_home_server: { status: 422, title: 'What is forwarded needs a home server' },
  realm_not_counted: {
    status: 422,
    title: 'Sessions that are let in here would not be counted here: accounting is local or both then',
    constraint: 'realm_not_counted',
  },
  realm_takeover_unconfirmed: {
    status: 409,
    title: 'Logins of many subscribers would be decided elsewhere: confirm their number',
  },
  accounting_copy_unknown: { status: 404, title: 'There is no such accounting copy' },
  accounting_copy_name_taken: {
    status: 409,
    title: 'An accounting copy with this name exists',
    constraint: 'accounting_copy_name',
  },
} as const;
