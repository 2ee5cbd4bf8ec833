// Exporters of flows: /exporters, and for super admins the senders that are nobody's: /exporters/unassigned.
import { type Api, tenantOf, writing } from '../api.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { Empty, IdParams, problems, WriteQuery } from '../fields.ts';
import { changeExporter, createExporter, removeExporter } from './commands.ts';
import {
  ExporterBody,
  ExporterChange,
  ExporterQuery,
  ExporterReply,
  ExportersReply,
  ExporterWithTraffic,
  UnassignedReply,
} from './contract.ts';
import { exporterWithTraffic, listExporters, unassigned } from './queries.ts';

const tags = ['exporters'];

export function exporterRoutes(app: Api, deps: Deps): void {
  const { db } = deps;

  app.get(
    '/exporters',
    {
      config: { permission: 'exporters:read' },
      schema: {
        tags,
        operationId: 'exporters.list',
        summary: 'List exporters of flows with what was received from them',
        querystring: ExporterQuery,
        response: { 200: ExportersReply, ...problems('invalid_cursor', 'page_too_deep', 'ledger_unavailable') },
      },
    },
    (request) => listExporters(deps, tenantOf(request), request.query),
  );

  app.get(
    '/exporters/unassigned',
    {
      config: { permission: 'exporters:assign', platform: true },
      schema: {
        tags,
        operationId: 'exporters.list_unassigned',
        summary: 'Senders of flows that belong to no tenant; POST /exporters claims one',
        response: { 200: UnassignedReply, ...problems('ledger_unavailable') },
      },
    },
    () => unassigned(deps),
  );

  app.post(
    '/exporters',
    {
      config: { permission: 'exporters:write', idempotent: true },
      schema: {
        tags,
        operationId: 'exporters.create',
        summary: 'Add an exporter of flows',
        querystring: WriteQuery,
        body: ExporterBody,
        response: { 201: ExporterReply, ...problems('exporter_address_taken', 'idempotency_key_reused') },
      },
    },
    async (request, reply) => {
      const made = await write(db, writing(request), (tx) => createExporter(tx, request.body));
      return reply.code(201).send(made);
    },
  );

  app.get(
    '/exporters/:id',
    {
      config: { permission: 'exporters:read' },
      schema: {
        tags,
        operationId: 'exporters.get',
        summary: 'One exporter of flows with what was received from it',
        params: IdParams,
        response: { 200: ExporterWithTraffic, ...problems('exporter_unknown', 'ledger_unavailable') },
      },
    },
    (request) => exporterWithTraffic(deps, tenantOf(request), request.params.id),
  );

  app.patch(
    '/exporters/:id',
    {
      config: { permission: 'exporters:write' },
      schema: {
        tags,
        operationId: 'exporters.update',
        summary: 'Change an exporter: its role decides whether its flows count as usage',
        params: IdParams,
        querystring: WriteQuery,
        body: ExporterChange,
        response: { 200: ExporterReply, ...problems('exporter_unknown') },
      },
    },
    (request) => write(db, writing(request), (tx) => changeExporter(tx, request.params.id, request.body)),
  );

  app.delete(
    '/exporters/:id',
    {
      config: { permission: 'exporters:write' },
      schema: {
        tags,
        operationId: 'exporters.delete',
        summary: 'Remove an exporter: its flows are no longer stored, unless it is discovered again',
        params: IdParams,
        querystring: WriteQuery,
        response: { 204: Empty, ...problems('exporter_unknown') },
      },
    },
    async (request, reply) => {
      await write(db, writing(request), (tx) => removeExporter(tx, request.params.id));
      return reply.code(204).send(null);
    },
  );
}
