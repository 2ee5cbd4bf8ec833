// Ubiquiti EdgeOS: WISPr attributes at login; afterwards it can only end a session.
import { wisprRate } from './generic.ts';
import { nasProfileOf } from './profile.ts';

export const edgeos = nasProfileOf({
  vendor: 'edgeos',
  title: 'Ubiquiti EdgeOS',
  rate: (speed) => wisprRate(speed),
  live: 'never',
  namings: [{ all: [], also: ['userName', 'sessionId', 'framedIp'] }],
});
