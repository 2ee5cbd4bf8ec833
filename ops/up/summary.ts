// What `npm start` prints when everything serves: where to go, and the first admin's password once.
import type { DataFolder } from '../stores/data-folder.ts';
import { dataDirectory, postgresRecord } from '../stores/embedded/postgres-place.ts';
import { reachableHost } from './ready.ts';
import type { Settings } from './settings.ts';

/** `firstPassword` only when this start made the first super admin. */
export function summary(settings: Settings, folder: DataFolder, firstPassword: string | undefined): string[] {
  const host = reachableHost(settings.BIND_HOST[0]);
  const api = `http://${host}:${settings.HTTP_PORT}`;
  const postgres = settings.DATABASE_URL === '' ? postgresRecord(folder) : undefined;
  const elsewhere = postgres?.directory.startsWith('/') ? `, PostgreSQL's in ${dataDirectory(folder, postgres)}` : '';
  return [
    `  API      ${api}/api/v1, described at ${api}/api/docs`,
    `  RADIUS   ${settings.BIND_HOST.join(', ')}: authentication ${settings.RADIUS_AUTH_PORT}, accounting ${settings.RADIUS_ACCT_PORT}`,
    `  Metrics  ${api}/metrics and http://${host}:${settings.AAA_ADMIN_PORT}/metrics`,
    `  Data     ${folder.path}${elsewhere}`,
    ...(firstPassword === undefined
      ? []
      : [`  Sign in  ${settings.ADMIN_EMAIL}, password ${firstPassword}   (shown this once)`]),
    'Ctrl-C stops everything.',
  ];
}
