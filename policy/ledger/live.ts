// Pages through the keys of open sessions of a partition, by last event: one that reports meanwhile moves ahead and is never missed.
import type { Cluster, Redis } from 'ioredis';
import { keys } from './keys.ts';

/** Behind which member a page begins. */
export type LivePlace = { readonly score: string; readonly key: string };
export type LivePage = { readonly members: readonly LivePlace[]; readonly next: LivePlace | undefined };

const chunk = 200;
const start: LivePlace = { score: '-inf', key: '' };

export async function readLivePage(
  redis: Redis | Cluster,
  partition: number,
  place: LivePlace = start,
): Promise<LivePage> {
  const name = keys.live(partition);
  for (let offset = 0; ; offset += chunk) {
    const answer = await redis.zrange(name, place.score, '+inf', 'BYSCORE', 'LIMIT', offset, chunk, 'WITHSCORES');
    const members: LivePlace[] = [];
    for (let i = 0; i + 1 < answer.length; i += 2) {
      const member = { key: answer[i] ?? '', score: answer[i + 1] ?? '' };
      const behind = Number(member.score) > Number(place.score) || compare(member.key, place.key) > 0;
      if (place.key === '' || behind) members.push(member);
    }
    const complete = answer.length < 2 * chunk;
    // Among many with the same instant the place may lie behind the whole chunk.
    if (members.length === 0 && !complete) continue;
    return { members, next: complete ? undefined : members.at(-1) };
  }
}

/** Redis orders members of one score by their octets. */
function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
