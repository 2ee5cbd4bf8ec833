// Rows of the feed_nas* views as records of the snapshot.
import type { Ipv6Rule, NasAttribute, SpeedWay } from '#policy/nas/profile.ts';
import type { StoredAttribute } from '#policy/nas/reply-attributes.ts';
import { type NasOperationColumns, nasOperation, nasOperationColumns } from './nas-operation.ts';
import type { NasRecord } from './records.ts';

export type NasColumns = {
  tenant_id: string;
  id: string;
  name: string;
  address: string;
  nas_identifier: string | null;
  vendor: string;
  secret_cipher: Buffer;
  next_secret_cipher: Buffer | null;
  coa_address: string | null;
  coa_port: number | null;
  coa_rate_per_s: number;
  mode: NasRecord['mode'];
  adopted_at_ms: number | null;
  message_authenticator: NasRecord['messageAuthenticator'];
  limit_proxy_state: NasRecord['limitProxyState'];
  reply_message_authenticator: boolean;
  learn_since_ms: number;
  speed_way: SpeedWay | null;
  swap_octets: boolean;
  octet_unit: number;
  ipv6_rule: Ipv6Rule | null;
  attributes: StoredAttribute[];
  policies: { up_bps: number; down_bps: number; name: string; up_name: string | null }[];
  radsec_identity: string | null;
  coa_over_radsec: boolean;
} & NasOperationColumns;

/** An instant of PostgreSQL in milliseconds. */
export const ms = (column: string) => `(extract(epoch FROM ${column}) * 1000)::float8`;

export const selectNas = `SELECT tenant_id, id, name, address, nas_identifier, vendor, secret_cipher, next_secret_cipher, coa_address,
  coa_port, coa_rate_per_s, mode, ${ms('adopted_at')} AS adopted_at_ms, message_authenticator, limit_proxy_state,
  reply_message_authenticator, ${ms('learn_since')} AS learn_since_ms, speed_way, swap_octets, octet_unit, ipv6_rule,
  attributes, policies, radsec_identity, coa_over_radsec, ${nasOperationColumns}
  FROM feed_nas JOIN feed_nas_trust USING (tenant_id, id) JOIN feed_nas_profile USING (tenant_id, id)
  JOIN feed_nas_operation USING (tenant_id, id)`;

export function nasRecordOf(row: NasColumns): NasRecord {
  return {
    tenantId: Number(row.tenant_id),
    id: Number(row.id),
    name: row.name,
    address: row.address,
    identifier: row.nas_identifier,
    vendor: row.vendor,
    secretCiphers: row.next_secret_cipher ? [row.secret_cipher, row.next_secret_cipher] : [row.secret_cipher],
    coaAddress: row.coa_address,
    coaPort: row.coa_port,
    coaRatePerS: row.coa_rate_per_s,
    mode: row.mode,
    adoptedAtMs: row.adopted_at_ms,
    messageAuthenticator: row.message_authenticator,
    limitProxyState: row.limit_proxy_state,
    replyMessageAuthenticator: row.reply_message_authenticator,
    // A device that moves to us is as new as one that was added.
    learnSinceMs: Math.max(row.learn_since_ms, row.adopted_at_ms ?? 0),
    speedWay: row.speed_way,
    swapOctets: row.swap_octets,
    octetUnit: row.octet_unit,
    ipv6Rule: row.ipv6_rule,
    attributes: row.attributes.map(nasAttribute),
    policies: row.policies.map(({ up_bps: upBps, down_bps: downBps, name, up_name: upName }) => ({
      upBps,
      downBps,
      name,
      upName,
    })),
    radsecIdentity: row.radsec_identity,
    coaOverRadsec: row.coa_over_radsec,
    ...nasOperation(row),
  };
}

/** The octets were made when it was saved: a dictionary that changes since changes nothing that is stored. */
export function nasAttribute({ vendor, type, octets }: StoredAttribute): NasAttribute {
  return { vendor, type, value: Buffer.from(octets, 'hex') };
}
