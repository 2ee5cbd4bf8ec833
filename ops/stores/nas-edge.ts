// What the edge knows of access servers, in Redis: what their packets have taught, and which secret they used lately.
import type { RedisClient } from './redis.ts';

/** What was learned, and when (wall clock). */
export type Lesson = { readonly value: 'yes' | 'no'; readonly atMs: number };

/** Of one access server; null: nothing yet. */
export type LearnedOfNas = {
  readonly nasId: number;
  /** It sends Message-Authenticator in every Access-Request. */
  readonly messageAuthenticator: Lesson | null;
  /** It sends no Proxy-State without one. */
  readonly limitProxyState: Lesson | null;
};

/** Requests of one access server in the last minutes, as one node saw them. */
export type NasUse = {
  readonly nasId: number;
  /** Wall clock of its last request that verified. */
  readonly heardAtMs: number;
  /** Since when the counts below count. */
  readonly sinceMs: number;
  /** Requests that the current and the next secret made. */
  readonly current: number;
  readonly next: number;
  /** Access-Requests with and without a Message-Authenticator. */
  readonly proven: number;
  readonly unproven: number;
};

/** hash: NAS id → `<yes|no|-> <ms> <yes|no|-> <ms>`. Lasts: a lesson is not unlearned by silence. */
const learnedKey = 'radius:learned';
/** zset: node → when it published last */
const nodesKey = 'radius:nodes';
/** hash: NAS id → numbers in the order of `packedUse` */
const usesKey = (node: string) => `radius:nas:{${node}}`;
/** What a node said is forgotten when it has been silent for so long. */
const keptS = 900;

/**
 * Both as one: a proof that it can is never overruled by a sign that it did not; of equals the first. Lessons from before `sinceMs`,
 * when an operator began the learning anew, are none.
 */
export function mergeLearned(one: LearnedOfNas, other: LearnedOfNas, sinceMs: number): LearnedOfNas {
  const fresh = (lesson: Lesson | null) => (lesson && lesson.atMs >= sinceMs ? lesson : null);
  const merged = (what: 'messageAuthenticator' | 'limitProxyState') => stricter(fresh(one[what]), fresh(other[what]));
  return {
    nasId: one.nasId,
    messageAuthenticator: merged('messageAuthenticator'),
    limitProxyState: merged('limitProxyState'),
  };
}

export function sameLearned(one: LearnedOfNas | undefined, other: LearnedOfNas): boolean {
  return one !== undefined && packLearned(one) === packLearned(other);
}

export async function readLearned(redis: RedisClient): Promise<LearnedOfNas[]> {
  const hash = await redis.hgetall(learnedKey);
  return Object.entries(hash).map(([nasId, text]) => unpackLearned(Number(nasId), text));
}

export async function writeLearned(redis: RedisClient, learned: readonly LearnedOfNas[]): Promise<void> {
  if (learned.length === 0) return;
  await redis.hset(learnedKey, ...learned.flatMap((one) => [String(one.nasId), packLearned(one)]));
}

/** Replaces what the node published before. */
export async function publishNasUses(
  redis: RedisClient,
  node: string,
  uses: readonly NasUse[],
  nowMs: number,
): Promise<void> {
  const key = usesKey(node);
  const fields = uses.flatMap((one) => [String(one.nasId), packUse(one)]);
  const change = redis.multi().del(key);
  if (fields.length > 0) change.hset(key, ...fields).expire(key, keptS);
  for (const [error] of (await change.exec()) ?? []) if (error) throw error;
  await redis.zadd(nodesKey, nowMs, node);
  await redis.zremrangebyscore(nodesKey, '-inf', nowMs - keptS * 1000);
}

/** Of these access servers: what was learned, and their requests summed over the nodes. Absent: never heard of. */
export type NasEdge = {
  readonly learned: ReadonlyMap<number, LearnedOfNas>;
  readonly uses: ReadonlyMap<number, NasUse>;
};

export async function readNasEdge(redis: RedisClient, nasIds: readonly number[]): Promise<NasEdge> {
  const learned = new Map<number, LearnedOfNas>();
  const uses = new Map<number, NasUse>();
  if (nasIds.length === 0) return { learned, uses };
  const fields = nasIds.map(String);
  const nodes = await redis.zrange(nodesKey, 0, '-1');
  const [lessons, ...counts] = await Promise.all([
    redis.hmget(learnedKey, ...fields),
    ...nodes.map((node) => redis.hmget(usesKey(node), ...fields)),
  ]);
  for (const [index, nasId] of nasIds.entries()) {
    const text = lessons?.[index];
    if (text) learned.set(nasId, unpackLearned(nasId, text));
    for (const ofNode of counts) {
      const packed = ofNode[index];
      if (!packed) continue;
      const one = unpackUse(nasId, packed);
      const other = uses.get(nasId);
      uses.set(nasId, other ? sum(one, other) : one);
    }
  }
  return { learned, uses };
}

function stricter(one: Lesson | null, other: Lesson | null): Lesson | null {
  if (!one || !other) return one ?? other;
  if (one.value !== other.value) return one.value === 'yes' ? one : other;
  return one.atMs <= other.atMs ? one : other;
}

function packLearned({ messageAuthenticator, limitProxyState }: LearnedOfNas): string {
  const pack = (lesson: Lesson | null) => (lesson ? `${lesson.value} ${lesson.atMs}` : '- 0');
  return `${pack(messageAuthenticator)} ${pack(limitProxyState)}`;
}

function unpackLearned(nasId: number, text: string): LearnedOfNas {
  const [first, firstMs, second, secondMs] = text.split(' ');
  const unpack = (value: string | undefined, ms: string | undefined): Lesson | null =>
    value === 'yes' || value === 'no' ? { value, atMs: Number(ms) } : null;
  return { nasId, messageAuthenticator: unpack(first, firstMs), limitProxyState: unpack(second, secondMs) };
}

function packUse(one: NasUse): string {
  return [one.heardAtMs, one.sinceMs, one.current, one.next, one.proven, one.unproven].join(' ');
}

function unpackUse(nasId: number, text: string): NasUse {
  const [heardAtMs = 0, sinceMs = 0, current = 0, next = 0, proven = 0, unproven = 0] = text.split(' ').map(Number);
  return { nasId, heardAtMs, sinceMs, current, next, proven, unproven };
}

function sum(one: NasUse, other: NasUse): NasUse {
  return {
    nasId: one.nasId,
    heardAtMs: Math.max(one.heardAtMs, other.heardAtMs),
    sinceMs: Math.min(one.sinceMs, other.sinceMs),
    current: one.current + other.current,
    next: one.next + other.next,
    proven: one.proven + other.proven,
    unproven: one.unproven + other.unproven,
  };
}
