// The live side of moving sessions away from an access server: which are there, which were told, and whose turn it is.
import type { Cluster, Redis } from 'ioredis';
import { createFunctionCaller } from './call.ts';
import { keys, tag } from './keys.ts';
import { readLivePage } from './live.ts';
import { readSessions } from './sessions.ts';
import { type LiveSession, partitionCount } from './types.ts';

/** go: it is counted, tell it. wait: another one was told just now. known: it was told before. full: as many as were confirmed have been. */
export type Turn = 'go' | 'known' | 'full' | { readonly waitMs: number };

export type Move = { readonly id: number; readonly most: number; readonly perS: number };

export type MoveLedger = ReturnType<typeof createMoveLedger>;

/** One that did not go is told again after this long. */
const againMs = 60_000;
const tries = 3;

export function createMoveLedger(redis: Redis | Cluster) {
  const { call } = createFunctionCaller(redis, () => {});
  return {
    /** Asks for the turn of one session, by any text that names it and its incarnation. */
    async take({ id, most, perS }: Move, session: string): Promise<Turn> {
      const gapMs = Math.ceil(1000 / perS);
      const answer = await call('move_take', [keys.move(id), told(id)], [session, most, gapMs, againMs, tries]);
      const [turn, waitMs] = answer as ['go' | 'known' | 'full' | 'wait', number?];
      return turn === 'wait' ? { waitMs: waitMs ?? gapMs } : turn;
    },
    sessionsOfNas: (partition: number, tenantId: number, nasId: number) =>
      sessionsOfNas(redis, partition, tenantId, nasId),
  };
}

/** How many sessions a move has told to end. */
export function countMoved(redis: Redis | Cluster, moveId: number): Promise<number> {
  return redis.hlen(told(moveId));
}

/** Open sessions of subscribers at an access server. */
export async function countOfNas(redis: Redis | Cluster, tenantId: number, nasId: number): Promise<number> {
  let count = 0;
  for (let partition = 0; partition < partitionCount; partition++) {
    count += (await sessionsOfNas(redis, partition, tenantId, nasId)).length;
  }
  return count;
}

async function sessionsOfNas(
  redis: Redis | Cluster,
  partition: number,
  tenantId: number,
  nasId: number,
): Promise<LiveSession[]> {
  const found: LiveSession[] = [];
  // A session's key names its NAS instance: the id of the record, alone or before what tells several devices apart.
  const begin = `ses:${tag(partition)}:${tenantId}:${nasId}`;
  for (let page = await readLivePage(redis, partition); ; page = await readLivePage(redis, partition, page.next)) {
    const names = page.members.map(({ key }) => key).filter((key) => isOf(key, begin));
    const sessions = await readSessions(redis, partition, names);
    // What belongs to nobody we know is nobody we could move.
    found.push(...sessions.filter(({ subscriptionId }) => subscriptionId !== 0));
    if (!page.next) return found;
  }
}

function isOf(key: string, begin: string): boolean {
  return key.startsWith(begin) && (key[begin.length] === ':' || key[begin.length] === '/');
}

function told(moveId: number): string {
  return `${keys.move(moveId)}:told`;
}
