// The connection pool to PostgreSQL as lastmile_app, and the types of a scoped connection and a transaction.
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { Pool } from 'pg';
import type { Logger } from '#ops/runtime/log.ts';
import { createPostgresPool } from '#ops/stores/postgres.ts';

export type Db = NodePgDatabase & { $client: Pool };

/** In a tenant: row-level security shows its rows. On the platform: people, sign-ins and tenants, no tenant's own data. */
export type TenantScope = { readonly kind: 'tenant'; readonly tenantId: number };
export type PlatformScope = { readonly kind: 'platform' };
export type Scope = TenantScope | PlatformScope;

type Transaction = Parameters<Parameters<Db['transaction']>[0]>[0];

/** What queries take: inside a transaction whose scope is set. A plain Db is none. */
export type Conn<S extends Scope = Scope> = Pick<Transaction, 'select' | 'selectDistinctOn' | 'execute'> & {
  readonly scope: S;
};

/** What commands take: a writing transaction of {@link write}. */
export type Tx<S extends Scope = TenantScope> = Transaction & {
  readonly scope: S;
  readonly userId: number | null;
  /** What the audit row of this command tells. The last call wins. */
  audit(entity: string, entityId: number | null, detail?: Readonly<Record<string, unknown>>): void;
};

export function createDb(url: string, log: Logger): Db {
  return drizzle(createPostgresPool({ url, name: 'control-api', log, max: 12, statementTimeoutMs: 15_000 }));
}
