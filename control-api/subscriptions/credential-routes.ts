// What a subscriber logs in by: /subscriptions/{id}/credentials and /customers/{id}/services/{subscription_id}/credentials.
import { type Api, writing } from '../api.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { Empty, Id, problems, strict, WriteQuery } from '../fields.ts';
import { alterCredential, giveCredential, lock } from './commands.ts';
import { CredentialBody, CredentialChange, SubscriptionReply } from './contract.ts';
import { removeCredential, requireCheckable } from './credentials.ts';
import { onBothPaths } from './paths.ts';
import { createWriteAndShow } from './write-and-show.ts';

const tags = ['subscriptions'];
const CredentialParams = strict({ id: Id, credential_id: Id });
const codes = [
  'subscription_unknown',
  'subscription_terminated',
  'user_name_taken',
  'password_scheme_unavailable',
] as const;

export function credentialRoutes(app: Api, { db, keyring, clock }: Deps): void {
  const writeAndShow = createWriteAndShow({ db, clock });

  onBothPaths(app, {
    methods: ['POST'],
    below: '/credentials',
    permission: 'subscriptions:write',
    idempotent: true,
    schema: {
      tags,
      operationId: 'subscriptions.add_credential',
      summary: 'Add a login, a MAC address or a line; `serves` tells which methods the password can serve',
      querystring: WriteQuery,
      response: { 201: SubscriptionReply, ...problems(...codes, 'idempotency_key_reused') },
    },
    body: CredentialBody,
    handler: async (request, reply, { path, body }) => {
      await requireCheckable(body.kind === 'login' ? body.password : undefined);
      const shown = await writeAndShow(request, (tx) => giveCredential(tx, keyring, path, body));
      return reply.code(201).send(shown);
    },
  });

  app.patch(
    '/subscriptions/:id/credentials/:credential_id',
    {
      config: { permission: 'subscriptions:write' },
      schema: {
        tags,
        operationId: 'subscriptions.change_credential',
        summary: 'Change the user name or password of a login',
        params: CredentialParams,
        querystring: WriteQuery,
        body: CredentialChange,
        response: { 200: SubscriptionReply, ...problems(...codes, 'credential_unknown') },
      },
    },
    async (request) => {
      const { id, credential_id } = request.params;
      await requireCheckable(request.body.password);
      return writeAndShow(request, (tx) => alterCredential(tx, keyring, id, credential_id, request.body));
    },
  );

  app.delete(
    '/subscriptions/:id/credentials/:credential_id',
    {
      config: { permission: 'subscriptions:write' },
      schema: {
        tags,
        operationId: 'subscriptions.remove_credential',
        summary: 'Take a login, a MAC address or a line away',
        params: CredentialParams,
        querystring: WriteQuery,
        response: { 204: Empty, ...problems('subscription_unknown', 'subscription_terminated', 'credential_unknown') },
      },
    },
    async (request, reply) => {
      const { id, credential_id } = request.params;
      await write(db, writing(request), async (tx) => {
        await lock(tx, { subscriptionId: id, customerId: undefined });
        await removeCredential(tx, id, credential_id);
        tx.audit('subscription', id, { credential_id });
      });
      return reply.code(204).send(null);
    },
  );
}
