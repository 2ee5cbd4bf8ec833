// Turns names of attributes that replies of home servers may bring into what the edge compares with.
import type { AllowedAttribute } from '#policy/proxy/settings.ts';
import { type InputProblem, Problem } from '../problem.ts';
import type { AttributeDictionary } from '../reply-attributes/dictionary.ts';
import type { Resolved } from './realms.ts';

/** @throws the problem attribute_refused with every name that is wrong. */
export async function withAllowed<Body extends { reply_attributes?: string[] | null }>(
  dictionary: AttributeDictionary,
  body: Body,
): Promise<Resolved<Body>> {
  const { reply_attributes: names, ...rest } = body;
  if (names === undefined) return rest;
  if (names === null || names.length === 0) return { ...rest, reply_attributes: names === null ? null : [] };
  const described = await dictionary.describe(names);
  const problems: InputProblem[] = [];
  const allowed: AllowedAttribute[] = [];
  for (const index of names.keys()) {
    const found = described[index] ?? { problem: 'the dictionary does not answer' };
    if ('problem' in found) problems.push({ in: 'body', path: `/reply_attributes/${index}`, message: found.problem });
    else allowed.push(found);
  }
  const [first] = problems;
  if (first) throw new Problem('attribute_refused', `body${first.path} ${first.message}`, problems);
  return { ...rest, reply_attributes: allowed };
}
