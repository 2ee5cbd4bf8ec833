// Changes the shared secrets of access servers without a gap: for a while both verify, then the old one goes, when the requests allow it.
import { randomBytes } from 'node:crypto';
import { asc, eq, inArray, sql } from 'drizzle-orm';
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { NasUse } from '#ops/stores/nas-edge.ts';
import type { Conn, Tx } from '../database/connect.ts';
import { invalid, Problem } from '../problem.ts';
import { lockNas, promoteSecret, secretsAt } from './commands.ts';
import type { NasReply } from './contract.ts';
import { type Nas, showNas } from './queries.ts';
import {
  mostAtOnce,
  type Rotated,
  type RotationChoice,
  type RotationOrder,
  type RotationPreview,
  type RotationReply,
} from './rotation-contract.ts';
import { nas } from './schema.ts';

export async function startRotation(
  tx: Tx,
  keyring: Keyring,
  id: number,
  secret: string | undefined,
): Promise<Rotated> {
  const before = await lockNas(tx, id);
  if (before.nextSecretCipher) throw new Problem('rotation_running', 'finish or cancel the rotation first');
  const rotated = await setNext(tx, keyring, before, secret ?? newSecret());
  tx.audit('nas', id, { generated: secret === undefined });
  return rotated;
}

/** `use` is what the edge saw lately; undefined when it cannot be known. */
export async function finishRotation(tx: Tx, id: number, use: NasUse | undefined, force: boolean): Promise<NasReply> {
  const { nextSecretCipher } = await lockNas(tx, id);
  if (nextSecretCipher && !force && !mayFinish(use)) {
    throw new Problem('rotation_unproven', `${seen(use)}; wait for requests with the next one alone, or force it`);
  }
  return promoteSecret(tx, id);
}

export async function cancelRotation(tx: Tx, id: number, use: NasUse | undefined, force: boolean): Promise<NasReply> {
  const before = await lockNas(tx, id);
  if (!before.nextSecretCipher) throw new Problem('no_next_secret', 'no rotation is running');
  if (!force && (!use || use.next > 0)) {
    throw new Problem('rotation_unproven', `${seen(use)}; set the device back to the current one, or force it`);
  }
  const [changed] = await tx
    .update(nas)
    .set({ nextSecretCipher: null, rotationStartedAt: null, updatedAt: sql`now()` })
    .where(eq(nas.id, id))
    .returning();
  if (!changed) throw new Problem('nas_unknown', `there is no NAS ${id}`);
  tx.audit('nas', id, { forced: force });
  return showNas(changed);
}

export function showRotation(row: Nas, use: NasUse | undefined, isKnown: boolean): RotationReply {
  const instant = (ms: number | undefined) => (ms ? new Date(ms).toISOString() : null);
  return {
    id: row.id,
    rotating: row.nextSecretCipher !== null,
    started_at: row.rotationStartedAt?.toISOString() ?? null,
    current: { requests: isKnown ? (use?.current ?? 0) : null },
    next: { requests: isKnown ? (use?.next ?? 0) : null },
    counted_since: instant(use?.sinceMs),
    last_heard_at: instant(use?.heardAtMs),
    may_finish: row.nextSecretCipher !== null && mayFinish(use),
  };
}

export async function previewRotations(conn: Conn, choice: RotationChoice): Promise<RotationPreview> {
  const rows = await chosen(conn, choice);
  const ready = rows.filter((row) => row.nextSecretCipher === null);
  return {
    count: ready.length,
    data: ready.map(({ id, name, address }) => ({ id, name, address })),
    rotating: rows.filter((row) => row.nextSecretCipher !== null).map(({ id }) => id),
  };
}

/** A new secret for each of exactly `count` access servers, or for none. */
export async function startRotations(
  tx: Tx,
  keyring: Keyring,
  { count, ...choice }: RotationOrder,
): Promise<Rotated[]> {
  const rows = await chosen(tx, choice, true);
  const ready = rows.filter((row) => row.nextSecretCipher === null);
  if (ready.length !== count) {
    throw new Problem(
      'rotation_count_changed',
      `${count} were confirmed, ${ready.length} would be changed: look again`,
    );
  }
  const rotated: Rotated[] = [];
  for (const row of ready) rotated.push(await setNext(tx, keyring, row, newSecret()));
  tx.audit('nas', null, { rotated: ready.map(({ id }) => id) });
  return rotated;
}

async function chosen(conn: Pick<Conn, 'select'>, choice: RotationChoice, lock = false): Promise<Nas[]> {
  const { ids, vendor, all } = choice;
  const given = [ids, vendor, all].filter((one) => one !== undefined).length;
  if (given !== 1) throw invalid('', 'names exactly one of ids, vendor and all');
  const where = ids ? inArray(nas.id, ids) : vendor === undefined ? undefined : eq(nas.vendor, vendor);
  const query = conn
    .select()
    .from(nas)
    .where(where)
    .orderBy(asc(nas.id))
    .limit(mostAtOnce + 1);
  const rows = await (lock ? query.for('update') : query);
  const missing = ids?.find((id) => !rows.some((row) => row.id === id));
  if (missing !== undefined) throw new Problem('nas_unknown', `there is no NAS ${missing}`);
  if (rows.length > mostAtOnce) throw invalid('', `chooses more than ${mostAtOnce}: choose by ids`);
  return rows;
}

async function setNext(tx: Tx, keyring: Keyring, { id, name, address }: Nas, secret: string): Promise<Rotated> {
  const cipher = secretsAt(keyring, tx.scope.tenantId, address).encrypt(secret);
  await tx
    .update(nas)
    .set({ nextSecretCipher: cipher, rotationStartedAt: sql`now()`, updatedAt: sql`now()` })
    .where(eq(nas.id, id));
  return { id, name, address, secret };
}

/** 192 random bits in characters that every device takes. */
function newSecret(): string {
  return randomBytes(24).toString('base64url');
}

function mayFinish(use: NasUse | undefined): boolean {
  return use !== undefined && use.next > 0 && use.current === 0;
}

function seen(use: NasUse | undefined): string {
  if (!use) return 'it is not known which secret it used lately';
  return `since ${new Date(use.sinceMs).toISOString()} ${use.current} requests came with the current secret, ${use.next} with the next one`;
}
