// Runs queries in a read-only transaction that sees one tenant, or the platform's tables.
import { sql } from 'drizzle-orm';
import type { Conn, Db, Scope } from './connect.ts';

export function read<S extends Scope, T>(db: Db, scope: S, work: (conn: Conn<S>) => Promise<T>): Promise<T> {
  return db.transaction(
    async (transaction) => {
      await transaction.execute(enter(scope));
      return work(Object.assign(transaction, { scope }));
    },
    { accessMode: 'read only' },
  );
}

/** The statement that names the scope to row-level security, until the end of the transaction. */
export function enter(scope: Scope) {
  return scope.kind === 'tenant'
    ? sql`SELECT set_config('lastmile.tenant', ${String(scope.tenantId)}, true)`
    : sql`SELECT set_config('lastmile.scope', 'platform', true)`;
}
