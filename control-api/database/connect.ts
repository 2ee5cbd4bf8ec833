// The connection pool to PostgreSQL as lastmile_app, and the types of a scoped connection and a transaction.
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import type { Logger } from '#ops/runtime/log.ts';

export type Db = NodePgDatabase & { $client: pg.Pool };

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
  const pool = new pg.Pool({
    connectionString: url,
    max: 12,
    connectionTimeoutMillis: 3000,
    idleTimeoutMillis: 60_000,
    statement_timeout: 15_000,
    lock_timeout: 5000,
    idle_in_transaction_session_timeout: 30_000,
    application_name: 'lastmile control-api',
  });
  pool.on('error', (error) => log.warn({ err: error }, 'an idle connection to postgresql was lost'));
  return drizzle(pool);
}
