// Turns the attributes of a body into what is stored: known to a dictionary, of the right type, allowed in replies, not too many.
import { attributeLimits, lengthOnWire, type StoredAttribute, whyNotInReplies } from '#policy/nas/reply-attributes.ts';
import { type InputProblem, Problem } from '../problem.ts';
import type { AttributeField, Compiled } from './contract.ts';
import type { AttributeDictionary, EncodedAttribute } from './dictionary.ts';

/** The body as commands take it. @throws the problem attribute_refused with everything that is wrong. */
export async function withStoredAttributes<Body extends { attributes?: AttributeField[] }>(
  dictionary: AttributeDictionary,
  body: Body,
): Promise<Compiled<Body>> {
  const { attributes, ...rest } = body;
  if (attributes === undefined) return rest;
  return { ...rest, attributes: attributes.length === 0 ? [] : await compile(dictionary, attributes) };
}

async function compile(
  dictionary: AttributeDictionary,
  fields: readonly AttributeField[],
): Promise<readonly StoredAttribute[]> {
  const encoded = await dictionary.encode(fields);
  const problems: InputProblem[] = [];
  const stored: StoredAttribute[] = [];
  for (const [index, field] of fields.entries()) {
    const result = encoded[index] ?? { problem: 'the dictionary does not answer' };
    const message = whyNot(result);
    if (message !== null) problems.push({ in: 'body', path: `/attributes/${index}`, message });
    else if (!('problem' in result)) stored.push({ ...field, ...result });
  }
  const octets = stored.reduce((sum, attribute) => sum + lengthOnWire(attribute), 0);
  if (octets > attributeLimits.octets) {
    const message = `are ${octets} octets in a packet, ${attributeLimits.octets} at most`;
    problems.push({ in: 'body', path: '/attributes', message });
  }
  const [first] = problems;
  if (first) throw new Problem('attribute_refused', `body${first.path} ${first.message}`, problems);
  return stored;
}

/** Octets of a value in one attribute (RFC 2865 §5), and beside the vendor's header (§5.26). */
const longest = { standard: 253, vendor: 247 };

function whyNot(result: EncodedAttribute): string | null {
  if ('problem' in result) return result.problem;
  const { vendor, type, octets } = result;
  const most = vendor === 0 ? longest.standard : longest.vendor;
  if (octets.length / 2 > most) return `is longer than the ${most} octets that fit`;
  return whyNotInReplies(vendor, type);
}
