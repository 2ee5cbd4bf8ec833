// What the edge has learned of access servers and which secrets they use, beside what is stored.
import type { LearnedOfNas, Lesson, NasEdge } from '#ops/stores/nas-edge.ts';
import type { Deps } from '../deps.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { Problem } from '../problem.ts';
import type { NasReply } from './contract.ts';

/** The replies with what was learned; `unknown` while Redis is away. */
export async function withEdge({ nasEdge }: Pick<Deps, 'nasEdge'>, replies: readonly NasReply[]): Promise<NasReply[]> {
  const edge = await edgeOrNone(
    nasEdge,
    replies.map(({ id }) => id),
  );
  return replies.map((reply) => {
    const learned = edge?.learned.get(reply.id);
    const shown = (what: 'message_authenticator' | 'limit_proxy_state', lesson: keyof LearnedOfNas & Lessons) => {
      const { policy } = reply[what];
      if (policy !== 'auto') return { policy, learned: null, learned_at: null };
      if (!edge) return { policy, learned: 'unknown' as const, learned_at: null };
      const known = fresh(learned?.[lesson] ?? null, Date.parse(reply.learn_since));
      return { policy, learned: known?.value ?? null, learned_at: known ? new Date(known.atMs).toISOString() : null };
    };
    return {
      ...reply,
      message_authenticator: shown('message_authenticator', 'messageAuthenticator'),
      limit_proxy_state: shown('limit_proxy_state', 'limitProxyState'),
    };
  });
}

export async function oneWithEdge(deps: Pick<Deps, 'nasEdge'>, reply: NasReply): Promise<NasReply> {
  const [shown] = await withEdge(deps, [reply]);
  return shown ?? reply;
}

/** Undefined while Redis is away. */
export async function edgeOrNone(nasEdge: Deps['nasEdge'], nasIds: readonly number[]): Promise<NasEdge | undefined> {
  try {
    return await fromLedger(() => nasEdge(nasIds));
  } catch (error) {
    if (error instanceof Problem && error.code === 'ledger_unavailable') return undefined;
    throw error;
  }
}

type Lessons = 'messageAuthenticator' | 'limitProxyState';

/** A lesson from before the learning was begun anew is none. */
function fresh(lesson: Lesson | null, sinceMs: number): Lesson | null {
  return lesson && lesson.atMs >= sinceMs ? lesson : null;
}
