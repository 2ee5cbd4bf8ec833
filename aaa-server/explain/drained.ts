// What a drain makes of the answer that a login would get at another access server.
import { loginSentence } from '#policy/access/login-sentences.ts';
import type { NasRecord } from '../subscribers/records.ts';
import type { Explanation } from './explain.ts';

/** The explanation as it is while the access server is drained; the user and what stands behind the decision stay as they are. */
export function whileDrained(explanation: Explanation, { drain }: NasRecord): Explanation {
  if (!drain || explanation.reason === 'snapshot_incomplete') return explanation;
  const reason = 'nas_draining';
  const result = drain.answer === 'reject' ? ('reject' as const) : ('unanswered' as const);
  return { ...explanation, result, reason, sentence: loginSentence(reason), attributes: [], garden_stay: null };
}
