// Reads network access servers.
import { eq, inArray, sql } from 'drizzle-orm';
import type { Conn } from '../database/connect.ts';
import { inOrder, pageOf } from '../database/list.ts';
import type { ListQuery, Pagination } from '../database/list-contract.ts';
import { Problem } from '../problem.ts';
import { showAttributes } from '../reply-attributes/contract.ts';
import { type NasReply, nasList } from './contract.ts';
import { nas } from './schema.ts';

export type Nas = typeof nas.$inferSelect;

export async function listNas(conn: Conn, query: ListQuery): Promise<{ data: NasReply[]; pagination: Pagination }> {
  const words = query.search;
  const search =
    words === undefined
      ? undefined
      : {
          matches: sql`(position(lower(${words}::text) in lower(${nas.name})) > 0 OR host(${nas.address}) = ${words}::text OR ${nas.address}::text = ${words}::text)`,
          exact: sql`(${nas.name} = ${words}::text OR host(${nas.address}) = ${words}::text)`,
        };
  const { ids, pagination } = await pageOf(conn, nasList, query, search);
  const rows = ids.length === 0 ? [] : await conn.select().from(nas).where(inArray(nas.id, ids));
  return { data: inOrder(ids, rows).map(showNas), pagination };
}

export async function nasOf(conn: Pick<Conn, 'select'>, id: number): Promise<Nas> {
  const [found] = await conn.select().from(nas).where(eq(nas.id, id));
  if (!found) throw new Problem('nas_unknown', `there is no NAS ${id}`);
  return found;
}

/** What is stored; edge.ts adds what was learned. */
export function showNas(row: Nas): NasReply {
  return {
    id: row.id,
    name: row.name,
    address: row.address,
    nas_identifier: row.nasIdentifier,
    vendor: row.vendor,
    has_next_secret: row.nextSecretCipher !== null,
    rotation_started_at: row.rotationStartedAt?.toISOString() ?? null,
    coa_address: row.coaAddress,
    coa_port: row.coaPort,
    coa_rate_per_s: row.coaRatePerS,
    mode: row.mode,
    adopted_at: row.adoptedAt?.toISOString() ?? null,
    message_authenticator: { policy: row.messageAuthenticator, learned: null, learned_at: null },
    limit_proxy_state: { policy: row.limitProxyState, learned: null, learned_at: null },
    reply_message_authenticator: row.replyMessageAuthenticator,
    require_message_authenticator: row.requireMessageAuthenticator,
    learn_since: row.learnSince.toISOString(),
    speed_way: row.speedWay,
    swap_octets: row.swapOctets,
    octet_unit: row.octetUnit,
    ipv6_rule: row.ipv6Rule,
    attributes: showAttributes(row.attributes),
    radsec_identity: row.radsecIdentity,
    coa_over_radsec: row.coaOverRadsec,
    device_logins: row.deviceLogins,
    status: row.status,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
