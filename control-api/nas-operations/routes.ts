// Maintenance and draining of access servers: /nas/{id}/maintenance, /nas/{id}/drain and its move.
import { type Api, tenantOf, writing } from '../api.ts';
import type { TenantScope } from '../database/connect.ts';
import { read } from '../database/read.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { Empty, IdParams, problems, WriteQuery } from '../fields.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { Problem } from '../problem.ts';
import {
  DrainBody,
  DrainReply,
  MaintenanceBody,
  MaintenanceParams,
  MaintenanceReply,
  MaintenancesReply,
  MoveBody,
} from './contract.ts';
import {
  type DrainLive,
  drainOf,
  endDrain,
  type StoredDrain,
  showDrain,
  startDrain,
  startMove,
  stopMove,
} from './drain.ts';
import { endMaintenance, listMaintenance, planMaintenance } from './maintenance.ts';

const tags = ['nas'];

export function nasOperationRoutes(app: Api, { db, clock, moveDesk }: Deps): void {
  const openSessions = (scope: TenantScope, nasId: number) =>
    fromLedger(() => moveDesk.openSessions(scope.tenantId, nasId));

  /** Null while Redis is away: what is stored is shown all the same. */
  async function liveOf(scope: TenantScope, { drain, move }: StoredDrain): Promise<DrainLive> {
    try {
      return {
        openSessions: await openSessions(scope, drain.nasId),
        told: move ? await fromLedger(() => moveDesk.told(move.id)) : 0,
      };
    } catch (error) {
      if (error instanceof Problem && error.code === 'ledger_unavailable') return null;
      throw error;
    }
  }

  app.get(
    '/nas/:id/maintenance',
    {
      config: { permission: 'nas:read' },
      schema: {
        tags,
        operationId: 'nas.list_maintenance',
        summary: 'Windows of maintenance of an access server, past ones too',
        params: IdParams,
        response: { 200: MaintenancesReply, ...problems('nas_unknown') },
      },
    },
    async (request) => {
      const { id } = request.params;
      return { data: await read(db, tenantOf(request), (conn) => listMaintenance(conn, id, clock.nowMs())) };
    },
  );

  app.post(
    '/nas/:id/maintenance',
    {
      config: { permission: 'nas:write', idempotent: true },
      schema: {
        tags,
        operationId: 'nas.plan_maintenance',
        summary:
          'Leave an access server alone for a while: nothing is sent to it, what is due waits, its silence is no alarm',
        params: IdParams,
        querystring: WriteQuery,
        body: MaintenanceBody,
        response: {
          201: MaintenanceReply,
          ...problems('nas_unknown', 'maintenance_overlaps', 'maintenance_too_long', 'idempotency_key_reused'),
        },
      },
    },
    async (request, reply) => {
      const { params, body } = request;
      const made = await write(db, writing(request), (tx) => planMaintenance(tx, params.id, body, clock.nowMs()));
      return reply.code(201).send(made);
    },
  );

  app.delete(
    '/nas/:id/maintenance/:maintenance_id',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'nas.end_maintenance',
        summary: 'End a window of maintenance now, or take one back that has not begun: what waited is sent',
        params: MaintenanceParams,
        querystring: WriteQuery,
        response: { 204: Empty, ...problems('nas_unknown', 'maintenance_unknown') },
      },
    },
    async (request, reply) => {
      const { id, maintenance_id } = request.params;
      await write(db, writing(request), (tx) => endMaintenance(tx, id, maintenance_id, clock.nowMs()));
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/nas/:id/drain',
    {
      config: { permission: 'nas:read' },
      schema: {
        tags,
        operationId: 'nas.get_drain',
        summary:
          'The drain of an access server: how many sessions are open, which is what a move would end, and how far it is',
        params: IdParams,
        response: { 200: DrainReply, ...problems('nas_unknown', 'drain_unknown') },
      },
    },
    async (request) => {
      const scope = tenantOf(request);
      const stored = await read(db, scope, (conn) => drainOf(conn, request.params.id));
      return showDrain(stored, await liveOf(scope, stored));
    },
  );

  app.post(
    '/nas/:id/drain',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'nas.start_drain',
        summary: 'Keep new logins away from an access server; its sessions stay',
        params: IdParams,
        querystring: WriteQuery,
        body: DrainBody,
        response: { 201: DrainReply, ...problems('nas_unknown', 'drain_running') },
      },
    },
    async (request, reply) => {
      const stored = await write(db, writing(request), (tx) => startDrain(tx, request.params.id, request.body));
      return reply.code(201).send(showDrain(stored, await liveOf(tenantOf(request), stored)));
    },
  );

  app.delete(
    '/nas/:id/drain',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'nas.end_drain',
        summary: 'Let logins in again; a move of its sessions stops',
        params: IdParams,
        querystring: WriteQuery,
        response: { 204: Empty, ...problems('nas_unknown', 'drain_unknown') },
      },
    },
    async (request, reply) => {
      await write(db, writing(request), (tx) => endDrain(tx, request.params.id));
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/nas/:id/drain/move',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'nas.start_move',
        summary:
          'End the sessions of a drained access server at a pace, confirmed by their number, so that they come back elsewhere',
        params: IdParams,
        querystring: WriteQuery,
        body: MoveBody,
        response: {
          201: DrainReply,
          ...problems(
            ...(['nas_unknown', 'drain_unknown', 'move_running', 'move_count_changed'] as const),
            ...(['move_not_enforced', 'ledger_unavailable'] as const),
          ),
        },
      },
    },
    async (request, reply) => {
      const scope = tenantOf(request);
      const { id } = request.params;
      // A drain that is none is not worth a count.
      await read(db, scope, (conn) => drainOf(conn, id));
      const open = await openSessions(scope, id);
      const stored = await write(db, writing(request), (tx) => startMove(tx, id, request.body, open));
      return reply.code(201).send(showDrain(stored, { openSessions: open, told: 0 }));
    },
  );

  app.delete(
    '/nas/:id/drain/move',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'nas.stop_move',
        summary: 'Stop ending sessions; the access server stays drained',
        params: IdParams,
        querystring: WriteQuery,
        response: { 200: DrainReply, ...problems('nas_unknown', 'drain_unknown', 'move_unknown') },
      },
    },
    async (request) => {
      const stored = await write(db, writing(request), (tx) => stopMove(tx, request.params.id));
      return showDrain(stored, await liveOf(tenantOf(request), stored));
    },
  );
}
