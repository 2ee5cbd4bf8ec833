// Sources of RADIUS packets that are no NAS of ours, for super admins: /nas/unknown.
import { type Api, writing } from '../api.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { problems, WriteQuery } from '../fields.ts';
import { withStoredAttributes } from '../reply-attributes/compile.ts';
import { NasReply, UnknownNasBody, UnknownNasReply } from './contract.ts';
import { addUnknown, listedAddress, showUnknown } from './unknown.ts';

const tags = ['nas'];

export function unknownNasRoutes(app: Api, { db, keyring, dictionary, unknownSources }: Deps): void {
  app.get(
    '/nas/unknown',
    {
      config: { permission: 'nas:assign', platform: true },
      schema: {
        tags,
        operationId: 'nas.list_unknown',
        summary: 'Sources of RADIUS packets that are no NAS of any tenant, most packets first',
        response: { 200: UnknownNasReply, ...problems('aaa_unavailable') },
      },
    },
    async () => showUnknown(await unknownSources()),
  );

  app.post(
    '/nas/unknown/add',
    {
      config: { permission: 'nas:assign', idempotent: true },
      schema: {
        tags,
        operationId: 'nas.add_unknown',
        summary: 'Make a NAS of a listed source',
        querystring: WriteQuery,
        body: UnknownNasBody,
        response: {
          201: NasReply,
          ...problems(
            'unknown_client_not_listed',
            'nas_address_taken',
            'speed_policy_missing',
            'attribute_refused',
            'aaa_unavailable',
            'idempotency_key_reused',
          ),
        },
      },
    },
    async (request, reply) => {
      const listed = listedAddress(await unknownSources(), request.body.address);
      const body = await withStoredAttributes(dictionary, request.body);
      const made = await write(db, writing(request), (tx) => addUnknown(tx, keyring, body, listed));
      return reply.code(201).send(made);
    },
  );
}
