// Speeds that access servers know by name: /speed-policies.
import { mbpsOfBps } from '#policy/mbps.ts';
import { type Api, tenantOf, writing } from '../api.ts';
import { read } from '../database/read.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { Empty, IdParams, problems, WriteQuery } from '../fields.ts';
import { changeSpeedPolicy, createSpeedPolicy, removeSpeedPolicy } from './commands.ts';
import {
  MissingReply,
  SpeedPoliciesReply,
  SpeedPolicyBody,
  SpeedPolicyChange,
  SpeedPolicyQuery,
  SpeedPolicyReply,
} from './contract.ts';
import { missingPolicies } from './missing.ts';
import { listSpeedPolicies, showSpeedPolicy, speedPolicyOf } from './queries.ts';

const tags = ['nas'];

export function speedPolicyRoutes(app: Api, { db }: Deps): void {
  app.get(
    '/speed-policies',
    {
      config: { permission: 'nas:read' },
      schema: {
        tags,
        operationId: 'speed_policies.list',
        summary: 'List the speeds that access servers know by name',
        querystring: SpeedPolicyQuery,
        response: { 200: SpeedPoliciesReply, ...problems('invalid_cursor', 'page_too_deep') },
      },
    },
    (request) => read(db, tenantOf(request), (conn) => listSpeedPolicies(conn, request.query)),
  );

  app.get(
    '/speed-policies/missing',
    {
      config: { permission: 'nas:read' },
      schema: {
        tags,
        operationId: 'speed_policies.list_missing',
        summary: 'Speeds of the tariffs in use for which an access server has no name: it gives the next lower one',
        response: { 200: MissingReply, ...problems() },
      },
    },
    (request) =>
      read(db, tenantOf(request), async (conn) => ({
        data: (await missingPolicies(conn)).map(({ vendor, nasIds, speed }) => ({
          vendor,
          nas_ids: [...nasIds],
          bandwidth_down: mbpsOfBps(speed.downBps),
          bandwidth_up: mbpsOfBps(speed.upBps),
        })),
      })),
  );

  app.post(
    '/speed-policies',
    {
      config: { permission: 'nas:write', idempotent: true },
      schema: {
        tags,
        operationId: 'speed_policies.create',
        summary: 'Name the policy that gives a speed, on the access servers of a vendor or on one',
        querystring: WriteQuery,
        body: SpeedPolicyBody,
        response: {
          201: SpeedPolicyReply,
          ...problems('speed_policy_taken', 'nas_unknown', 'idempotency_key_reused'),
        },
      },
    },
    async (request, reply) => {
      const made = await write(db, writing(request), (tx) => createSpeedPolicy(tx, request.body));
      return reply.code(201).send(made);
    },
  );

  app.get(
    '/speed-policies/:id',
    {
      config: { permission: 'nas:read' },
      schema: {
        tags,
        operationId: 'speed_policies.get',
        summary: 'One speed policy',
        params: IdParams,
        response: { 200: SpeedPolicyReply, ...problems('speed_policy_unknown') },
      },
    },
    (request) =>
      read(db, tenantOf(request), async (conn) => showSpeedPolicy(await speedPolicyOf(conn, request.params.id))),
  );

  app.patch(
    '/speed-policies/:id',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'speed_policies.update',
        summary: 'Rename a speed policy; sessions that are there keep what they have',
        params: IdParams,
        querystring: WriteQuery,
        body: SpeedPolicyChange,
        response: { 200: SpeedPolicyReply, ...problems('speed_policy_unknown') },
      },
    },
    (request) => write(db, writing(request), (tx) => changeSpeedPolicy(tx, request.params.id, request.body)),
  );

  app.delete(
    '/speed-policies/:id',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'speed_policies.delete',
        summary: 'Remove a speed policy that no tariff in use needs',
        params: IdParams,
        querystring: WriteQuery,
        response: { 204: Empty, ...problems('speed_policy_unknown', 'speed_policy_missing') },
      },
    },
    async (request, reply) => {
      await write(db, writing(request), (tx) => removeSpeedPolicy(tx, request.params.id));
      return reply.code(204).send(null);
    },
  );
}
