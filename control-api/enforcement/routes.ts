// Enforcement: /subscriptions/{id}/enforcement and the brake at /enforcement/brake.
import { type Api, tenantOf, writing } from '../api.ts';
import type { Deps } from '../deps.ts';
import { IdParams, NoBody, problems } from '../fields.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { onBothPaths } from '../subscriptions/paths.ts';
import { settleBrake } from './commands.ts';
import { ActionsQuery, ActionsReply, BrakesReply, ConfirmBody, EnforcementReply, ReleasedReply } from './contract.ts';
import { enforcementOf, showAction, showBrake } from './queries.ts';

const tags = ['enforcement'];

export function enforcementRoutes(app: Api, deps: Deps): void {
  const { brake } = deps;

  onBothPaths(app, {
    methods: ['GET'],
    below: '/enforcement',
    permission: 'enforcement:read',
    schema: {
      tags,
      operationId: 'enforcement.get',
      summary: 'What each session should be, was told and has confirmed',
      response: { 200: EnforcementReply, ...problems('subscription_unknown', 'ledger_unavailable') },
    },
    handler: (request, _, { path }) => enforcementOf(deps, tenantOf(request), path),
  });

  app.get(
    '/enforcement/actions',
    {
      config: { permission: 'enforcement:read' },
      schema: {
        tags,
        operationId: 'enforcement.list_actions',
        summary: 'What access servers were told last, and what they answered',
        querystring: ActionsQuery,
        response: { 200: ActionsReply, ...problems('ledger_unavailable') },
      },
    },
    async (request) => {
      const { tenantId } = tenantOf(request);
      const actions = await fromLedger(() => deps.ledger.actions(tenantId, request.query.limit ?? 50));
      return { data: actions.map(showAction) };
    },
  );

  app.get(
    '/enforcement/brake',
    {
      config: { permission: 'enforcement:read' },
      schema: {
        tags,
        operationId: 'enforcement.list_brakes',
        summary: 'The brake that holds, and the last ones that ended',
        response: { 200: BrakesReply, ...problems('ledger_unavailable') },
      },
    },
    async (request) => {
      const { tenantId } = tenantOf(request);
      const brakes = await fromLedger(() => brake.list(tenantId));
      return { data: brakes.map(showBrake) };
    },
  );

  app.post(
    '/enforcement/brake/:id/confirm',
    {
      config: { permission: 'enforcement:write' },
      schema: {
        tags,
        operationId: 'enforcement.confirm_brake',
        summary: 'Release what the brake holds, by its count',
        params: IdParams,
        body: ConfirmBody,
        response: { 200: ReleasedReply, ...problems('brake_unknown', 'brake_count_differs', 'ledger_unavailable') },
      },
    },
    (request) => {
      const { tenantId } = tenantOf(request);
      const { params, body } = request;
      const settle = () => brake.confirm(tenantId, params.id, body.count);
      return settleBrake(deps, writing(request), params.id, body.count, settle);
    },
  );

  app.post(
    '/enforcement/brake/:id/cancel',
    {
      config: { permission: 'enforcement:write' },
      schema: {
        tags,
        operationId: 'enforcement.cancel_brake',
        summary: 'Drop what the brake holds: these subscriptions stay as they are',
        params: IdParams,
        body: NoBody,
        response: { 200: ReleasedReply, ...problems('brake_unknown', 'ledger_unavailable') },
      },
    },
    (request) => {
      const { tenantId } = tenantOf(request);
      const { id } = request.params;
      return settleBrake(deps, writing(request), id, null, () => brake.cancel(tenantId, id));
    },
  );
}
