// Ubiquiti EdgeOS: WISPr attributes at login; afterwards it can only end a session.
import { byServiceType, ciscoPrivilege } from './device-access.ts';
import { wisprRate } from './generic.ts';
import { nasProfileOf } from './profile.ts';

export const edgeos = nasProfileOf({
  vendor: 'edgeos',
  title: 'Ubiquiti EdgeOS',
  rate: (speed) => wisprRate(speed),
  live: 'never',
  namings: [{ all: [], also: ['userName', 'sessionId', 'framedIp'] }],
  // What the RADIUS module of its Linux reads; the user must exist on the router where it reads none.
  deviceAccess: (access) => [byServiceType(access), ciscoPrivilege(access)],
});
