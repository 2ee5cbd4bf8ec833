// Realms take logins of subscribers away from here: how many it would be is counted, and many go only when their number was confirmed.
import { eq, sql } from 'drizzle-orm';
import { brakeLimit } from '#policy/enforcement/brake-rule.ts';
import type { Conn, Tx } from '../database/connect.ts';
import { Problem } from '../problem.ts';
import { realm } from './schema.ts';

/** By name of an active realm whether its logins are decided elsewhere. */
export type RealmRules = Readonly<Record<string, boolean>>;

export type Confirmation = {
  /** How many subscribers the caller expects to lose. */
  readonly count: number | undefined;
  /** Nothing is kept, so nobody goes: the number is told instead of refused. */
  readonly dryRun: boolean;
};

/** The rules as they stand; until the transaction ends nobody else changes them. */
export async function lockRules(tx: Tx): Promise<RealmRules> {
  await tx.execute(sql`SELECT pg_advisory_xact_lock(hashtext('realm'), hashint8(${tx.scope.tenantId}::bigint))`);
  return rulesOf(tx);
}

export async function rulesOf(conn: Pick<Conn, 'select'>): Promise<RealmRules> {
  const rows = await conn
    .select({ name: realm.name, authentication: realm.authentication })
    .from(realm)
    .where(eq(realm.status, 'active'));
  return Object.fromEntries(rows.map(({ name, authentication }) => [name, authentication === 'forward']));
}

/** Our own subscribers whose logins go where a realm says. */
export function subscribersOf(conn: Pick<Conn, 'execute'>, rules: RealmRules, name: string): Promise<number> {
  return rules[name] ? newlyForwarded(conn, { ...rules, [name]: false }, rules) : Promise.resolve(0);
}

/** Refuses what takes more away from here than may go unconfirmed. */
export async function requireConfirmed(tx: Tx, before: RealmRules, { count, dryRun }: Confirmation): Promise<void> {
  if (dryRun) return;
  const taken = await newlyForwarded(tx, before, await rulesOf(tx));
  if (taken === count || taken <= brakeLimit(0)) return;
  const { rows } = await tx.execute<{ count: string }>(
    sql`SELECT count(*) FROM subscription WHERE status <> 'terminated'`,
  );
  if (taken <= brakeLimit(Number(rows[0]?.count))) return;
  throw new Problem(
    'realm_takeover_unconfirmed',
    `logins of ${taken} subscribers would be decided elsewhere: confirm them by confirm_count ${taken}`,
  );
}

async function newlyForwarded(conn: Pick<Conn, 'execute'>, before: RealmRules, after: RealmRules): Promise<number> {
  const touched = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => before[name] !== after[name],
  );
  if (touched.length === 0) return 0;
  const { rows } = await conn.execute<{ found: string }>(
    sql`SELECT subscribers_forwarded(${JSON.stringify(before)}::jsonb, ${JSON.stringify(after)}::jsonb, ${sql.param(touched)}::text[]) AS found`,
  );
  return Number(rows[0]?.found);
}
