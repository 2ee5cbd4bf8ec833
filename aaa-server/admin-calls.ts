// What control-api asks of aaa-server over its admin port: the feed guard, unknown sources, who is known, what a dictionary says. Bearer token from the key ring.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import Type from 'typebox';
import { Value } from 'typebox/value';
import { type AdminHandler, reply } from '#ops/runtime/admin.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import { showPacket } from './explain/attributes.ts';
import type { Explain } from './explain/explain.ts';
import { proofMethods } from './explain/request.ts';
import { allowedAttribute } from './proxy/allowed-attribute.ts';
import type { Guard } from './subscribers/guard.ts';
import type { SnapshotReader } from './subscribers/records.ts';
import type { Dictionary } from './wire/dictionary.ts';
import { decodePacket } from './wire/packet.ts';
import { encodeTyped } from './wire/typed.ts';
import type { Workers } from './workers.ts';

export type AdminCallDeps = {
  keyring: Keyring;
  guard: Guard;
  snapshot: Pick<SnapshotReader, 'credential'>;
  workers: Pick<Workers, 'unknownClients' | 'testLogin'>;
  dictionary: Dictionary;
  explain: Explain;
};

const Confirmation = Type.Object(
  { tenant_id: Type.Integer({ minimum: 0 }), count: Type.Integer({ minimum: 1 }) },
  { additionalProperties: false },
);
const Attributes = Type.Object(
  {
    attributes: Type.Array(
      Type.Object({ name: Type.String(), value: Type.String() }, { additionalProperties: false }),
      { maxItems: 100 },
    ),
  },
  { additionalProperties: false },
);
const Names = Type.Object({ names: Type.Array(Type.String(), { maxItems: 100 }) }, { additionalProperties: false });
const text = Type.Optional(Type.String({ maxLength: 253 }));
const question = {
  tenantId: Type.Integer({ minimum: 1 }),
  userName: Type.String({ minLength: 1, maxLength: 253 }),
  ...{ nas: text, callingStationId: text, circuitId: text, remoteId: text, nasIdentifier: text, nasPortId: text },
  serviceType: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffff_ffff })),
};
const Question = Type.Object(question, { additionalProperties: false });
const Test = Type.Object(
  {
    ...question,
    method: Type.Union(proofMethods.map((method) => Type.Literal(method))),
    password: Type.String({ maxLength: 128 }),
  },
  { additionalProperties: false },
);
const largestBody = 64 * 1024;

export function adminCalls({
  keyring,
  guard,
  snapshot,
  workers,
  dictionary,
  explain,
}: AdminCallDeps): Record<string, AdminHandler> {
  const expected = digest(`Bearer ${keyring.derive('admin-token').toString('hex')}`);
  const authorized =
    (method: string, handler: AdminHandler): AdminHandler =>
    async (request, response) => {
      if (!timingSafeEqual(digest(request.headers.authorization ?? ''), expected))
        return json(response, 401, { error: 'the admin token is missing or wrong' });
      if (request.method !== method) return json(response, 405, { error: `use ${method}` });
      await handler(request, response);
    };

  return {
    '/feed-guard': authorized('GET', (_, response) => {
      const data = guard.list().map(({ id, tenantId, kind, count, since }) => ({
        id,
        tenant_id: tenantId,
        kind,
        count,
        since: since.toISOString(),
      }));
      json(response, 200, { data });
    }),
    '/feed-guard/confirm': authorized('POST', async (request, response) => {
      const body = await bodyOf(request);
      if (!Value.Check(Confirmation, body)) return json(response, 400, { error: 'send {"tenant_id", "count"}' });
      const answer = await guard.confirm(body.tenant_id, body.count);
      json(response, answer.ok ? 200 : 409, answer);
    }),
    '/credential': authorized('GET', (request, response) => {
      const query = new URL(request.url ?? '/', 'http://aaa').searchParams;
      const realm = query.get('realm') ?? '';
      const known = snapshot.credential(Number(query.get('tenant_id')), realm, query.get('user_name') ?? '');
      if (!known) return json(response, 404, { error: 'no such user name in the snapshot' });
      json(response, 200, { subscription_id: known.subscriptionId });
    }),
    '/attributes': authorized('POST', async (request, response) => {
      const body = await bodyOf(request);
      if (!Value.Check(Attributes, body))
        return json(response, 400, { error: 'send {"attributes": [{"name", "value"}]}' });
      const data = body.attributes.map(({ name, value }) => {
        const encoded = encodeTyped(dictionary, name, value);
        if (!encoded.ok) return { problem: encoded.reason };
        return { vendor: encoded.vendor, type: encoded.type, octets: encoded.value.toString('hex') };
      });
      json(response, 200, { data });
    }),
    '/attribute-names': authorized('POST', async (request, response) => {
      const body = await bodyOf(request);
      if (!Value.Check(Names, body)) return json(response, 400, { error: 'send {"names": []}' });
      json(response, 200, { data: body.names.map((name) => allowedAttribute(dictionary, name)) });
    }),
    '/explain': authorized('POST', async (request, response) => {
      const body = await bodyOf(request);
      if (!Value.Check(Question, body)) return json(response, 400, { error: 'send {"tenantId", "userName", …}' });
      json(response, 200, await explain(body));
    }),
    '/test-login': authorized('POST', async (request, response) => {
      const body = await bodyOf(request);
      if (!Value.Check(Test, body)) return json(response, 400, { error: 'send {"tenantId", "userName", "method", …}' });
      const tested = await workers.testLogin(body);
      if (!tested.ok) return json(response, 200, tested);
      const { reply: octets, ...result } = tested;
      const packet = octets && decodePacket(Buffer.from(octets));
      json(response, 200, { ...result, attributes: packet?.ok ? showPacket(dictionary, packet) : [] });
    }),
    '/unknown-clients': authorized('GET', async (_, response) => {
      const { clients, networks } = await workers.unknownClients();
      json(response, 200, { data: clients, networks });
    }),
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function json(response: ServerResponse, status: number, body: unknown): void {
  reply(response, status, 'application/json', JSON.stringify(body));
}

/** Undefined for what is too long or no JSON. */
async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > largestBody) return undefined;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
