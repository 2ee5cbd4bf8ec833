// Rows of feed_proxy as records of the snapshot.
import type { AccountingCopyRecord, HomeServerRecord, ProxyRecord, RealmRecord } from './records-of-proxy.ts';

export type ProxyColumns = {
  tenant_id: string;
  id: string;
  home_servers: {
    id: number;
    name: string;
    address: string;
    auth_port: number;
    acct_port: number;
    secret_cipher: string;
    response_window_ms: number;
    attempts: number;
    health_check: HomeServerRecord['healthCheck'];
    message_authenticator: HomeServerRecord['messageAuthenticator'];
    max_outstanding: number;
  }[];
  realms: {
    id: number;
    name: string;
    strip_user_name: boolean;
    authentication: RealmRecord['authentication'];
    accounting: RealmRecord['accounting'];
    choice: RealmRecord['choice'];
    unreachable: RealmRecord['unreachable'];
    reply_attributes: RealmRecord['replyAttributes'];
    home_server_ids: number[];
  }[];
  copies: { id: number; name: string; home_server_id: number; nas_id: number | null }[];
};

export const selectProxy = 'SELECT tenant_id, id, home_servers, realms, copies FROM feed_proxy';

export function proxyRecordOf(row: ProxyColumns): ProxyRecord {
  return {
    tenantId: Number(row.tenant_id),
    id: Number(row.id),
    homeServers: row.home_servers.map(homeServerOf),
    realms: row.realms.map(realmOf),
    copies: row.copies.map(copyOf),
  };
}

function homeServerOf(row: ProxyColumns['home_servers'][number]): HomeServerRecord {
  return {
    id: row.id,
    name: row.name,
    address: row.address,
    authPort: row.auth_port,
    acctPort: row.acct_port,
    secretCipher: Buffer.from(row.secret_cipher, 'base64'),
    responseWindowMs: row.response_window_ms,
    attempts: row.attempts,
    healthCheck: row.health_check,
    messageAuthenticator: row.message_authenticator,
    maxOutstanding: row.max_outstanding,
  };
}

function realmOf(row: ProxyColumns['realms'][number]): RealmRecord {
  return {
    id: row.id,
    name: row.name,
    stripUserName: row.strip_user_name,
    authentication: row.authentication,
    accounting: row.accounting,
    choice: row.choice,
    unreachable: row.unreachable,
    replyAttributes: row.reply_attributes,
    homeServerIds: row.home_server_ids,
  };
}

function copyOf(row: ProxyColumns['copies'][number]): AccountingCopyRecord {
  return { id: row.id, name: row.name, homeServerId: row.home_server_id, nasId: row.nas_id };
}
