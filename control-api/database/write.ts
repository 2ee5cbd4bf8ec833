// Runs one command in one transaction: scope, audit row, idempotency key, dry run, and the retry of what PostgreSQL gave up.
import { and, eq } from 'drizzle-orm';
import { Problem } from '../problem.ts';
import type { Db, Scope, Tx } from './connect.ts';
import { sqlStateOf } from './failure.ts';
import { enter } from './read.ts';
import { auditLog, idempotencyKey } from './schema.ts';

export type WriteContext<S extends Scope = Scope> = {
  readonly scope: S;
  readonly userId: number | null;
  readonly requestId: string;
  /** The operation's id, e.g. `customers.create`. */
  readonly action: string;
  /** Runs everything, keeps nothing. */
  readonly dryRun?: boolean;
  /** `fingerprint`: tells this request from any other. */
  readonly idempotency?: { readonly key: string; readonly fingerprint: Buffer } | undefined;
};

const attempts = 4;
const serializationFailure = '40001';
const deadlock = '40P01';

/** The result of `work`; with an idempotency key that was used before, the result it had then. */
export async function write<S extends Scope, T>(
  db: Db,
  context: WriteContext<S>,
  work: (tx: Tx<S>) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await once(db, context, work);
    } catch (error) {
      const state = sqlStateOf(error);
      if (attempt === attempts || (state !== serializationFailure && state !== deadlock)) throw error;
    }
  }
}

async function once<S extends Scope, T>(db: Db, context: WriteContext<S>, work: (tx: Tx<S>) => Promise<T>): Promise<T> {
  const { scope, userId, action, requestId } = context;
  let rehearsed: { result: T } | undefined;
  try {
    return await db.transaction(async (transaction) => {
      await transaction.execute(enter(scope));
      let note = { entity: '', entityId: null as number | null, detail: {} as Readonly<Record<string, unknown>> };
      const tx: Tx<S> = Object.assign(transaction, {
        scope,
        userId,
        audit: (entity: string, entityId: number | null, detail = {}) => {
          note = { entity, entityId, detail };
        },
      });
      const before = await claim(tx, context);
      if (before) return before.response as T;
      const result = await work(tx);
      const tenantId = scope.kind === 'tenant' ? scope.tenantId : null;
      await tx.insert(auditLog).values({ tenantId, userId, action, requestId, ...note });
      await keep(tx, context, result);
      if (context.dryRun) {
        rehearsed = { result };
        tx.rollback();
      }
      return result;
    });
  } catch (error) {
    if (rehearsed) return rehearsed.result;
    throw error;
  }
}

/** Takes the idempotency key, waiting for a transaction that holds it; the stored answer when it was used before. */
async function claim(tx: Tx<Scope>, context: WriteContext): Promise<{ response: unknown } | undefined> {
  const { idempotency, action, scope } = context;
  if (!idempotency || scope.kind !== 'tenant') return undefined;
  const bodyHash = idempotency.fingerprint;
  const taken = await tx
    .insert(idempotencyKey)
    .values({ tenantId: scope.tenantId, key: idempotency.key, operation: action, bodyHash })
    .onConflictDoNothing()
    .returning({ key: idempotencyKey.key });
  if (taken.length > 0) return undefined;
  const [standing] = await tx.select().from(idempotencyKey).where(eq(idempotencyKey.key, idempotency.key));
  if (!standing || standing.operation !== action || !standing.bodyHash.equals(bodyHash))
    throw new Problem('idempotency_key_reused', 'this Idempotency-Key stands for another request');
  return { response: standing.response };
}

async function keep(tx: Tx<Scope>, context: WriteContext, result: unknown): Promise<void> {
  const { idempotency, scope } = context;
  if (!idempotency || scope.kind !== 'tenant') return;
  await tx
    .update(idempotencyKey)
    .set({ response: result })
    .where(and(eq(idempotencyKey.tenantId, scope.tenantId), eq(idempotencyKey.key, idempotency.key)));
}
