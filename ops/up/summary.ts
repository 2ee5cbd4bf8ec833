// What `npm start` prints when everything serves: where to go.
import { type DataFolder, readRecord } from '../stores/data-folder.ts';
import type { ClickHouseRecord } from '../stores/embedded/clickhouse.ts';
import { dataDirectory, postgresRecord } from '../stores/embedded/postgres-place.ts';
import { reachableHost } from './ready.ts';
import type { Settings } from './settings.ts';

export function summary(settings: Settings, folder: DataFolder): string[] {
  const host = reachableHost(settings.BIND_HOST[0]);
  const api = `http://${host}:${settings.HTTP_PORT}`;
  const postgres = settings.DATABASE_URL === '' ? postgresRecord(folder) : undefined;
  const elsewhere = postgres?.directory.startsWith('/') ? `, PostgreSQL's in ${dataDirectory(folder, postgres)}` : '';
  const clickhouse = settings.CLICKHOUSE_URL === '' ? readRecord<ClickHouseRecord>(folder, 'clickhouse') : undefined;
  return [
    `  API      ${api}/api/v1, described at ${api}/api/docs`,
    `  RADIUS   ${settings.BIND_HOST.join(', ')}: authentication ${settings.RADIUS_AUTH_PORT}, accounting ${settings.RADIUS_ACCT_PORT}${settings.RADSEC_CERT === '' ? '' : `, RadSec ${settings.RADSEC_PORT}`}`,
    `  Flows    ${settings.BIND_HOST.join(', ')}: NetFlow ${settings.NETFLOW_PORT}`,
    `  Metrics  ${api}/metrics, http://${host}:${settings.AAA_ADMIN_PORT}/metrics and http://${host}:${settings.FLOW_ADMIN_PORT}/metrics`,
    ...(clickhouse
      ? [`  History  ClickHouse at http://127.0.0.1:${clickhouse.port}, its key in ${folder.path}/clickhouse.json`]
      : []),
    `  Data     ${folder.path}${elsewhere}`,
    'Ctrl-C stops everything.',
  ];
}
