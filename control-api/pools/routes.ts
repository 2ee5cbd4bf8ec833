// Address pools: /pools, their ranges and leases.
import { type Api, tenantOf, writing } from '../api.ts';
import { read } from '../database/read.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { Empty, IdParams, problems, WriteQuery } from '../fields.ts';
import { fromLedger } from '../plugins/ledger-failure.ts';
import { Problem } from '../problem.ts';
import { changePool, createPool, drainRange, growPool, removePool, removeRange } from './commands.ts';
import {
  LeaseQuery,
  LeasesReply,
  PoolBody,
  PoolChange,
  PoolQuery,
  PoolReply,
  PoolsReply,
  RangeBody,
  RangeChange,
  RangeParams,
  ReleaseBody,
} from './contract.ts';
import { listLeases, listPools, poolOf, poolWithUse, unitOf } from './queries.ts';

const tags = ['pools'];

export function poolRoutes(app: Api, deps: Deps): void {
  const { db, network, clock } = deps;

  app.get(
    '/pools',
    {
      config: { permission: 'pools:read' },
      schema: {
        tags,
        operationId: 'pools.list',
        summary: 'List address pools with how full they are',
        querystring: PoolQuery,
        response: { 200: PoolsReply, ...problems('invalid_cursor', 'page_too_deep', 'ledger_unavailable') },
      },
    },
    (request) => listPools(deps, tenantOf(request), request.query),
  );

  app.post(
    '/pools',
    {
      config: { permission: 'pools:write', idempotent: true },
      schema: {
        tags,
        operationId: 'pools.create',
        summary: 'Add an address pool',
        querystring: WriteQuery,
        body: PoolBody,
        response: {
          201: PoolReply,
          ...problems(
            ...(['pool_name_taken', 'pool_range_overlaps', 'pool_range_assigned', 'pool_fallback_refused'] as const),
            ...(['reference_unknown', 'idempotency_key_reused'] as const),
          ),
        },
      },
    },
    async (request, reply) => {
      const made = await write(db, writing(request), (tx) => createPool(tx, request.body));
      return reply.code(201).send(made);
    },
  );

  app.get(
    '/pools/:id',
    {
      config: { permission: 'pools:read' },
      schema: {
        tags,
        operationId: 'pools.get',
        summary: 'One address pool with how full it is',
        params: IdParams,
        response: { 200: PoolReply, ...problems('pool_unknown', 'ledger_unavailable') },
      },
    },
    (request) => poolWithUse(deps, tenantOf(request), request.params.id),
  );

  app.patch(
    '/pools/:id',
    {
      config: { permission: 'pools:write' },
      schema: {
        tags,
        operationId: 'pools.update',
        summary: 'Change the settings of an address pool; logins see them within seconds',
        params: IdParams,
        querystring: WriteQuery,
        body: PoolChange,
        response: {
          200: PoolReply,
          ...problems('pool_unknown', 'pool_name_taken', 'pool_fallback_refused', 'reference_unknown'),
        },
      },
    },
    (request) => write(db, writing(request), (tx) => changePool(tx, request.params.id, request.body)),
  );

  app.delete(
    '/pools/:id',
    {
      config: { permission: 'pools:write' },
      schema: {
        tags,
        operationId: 'pools.delete',
        summary: 'Remove an address pool that nothing uses',
        params: IdParams,
        querystring: WriteQuery,
        response: { 204: Empty, ...problems('pool_unknown', 'pool_in_use', 'ledger_unavailable') },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const use = await fromLedger(() => network.poolUse(id));
      await write(db, writing(request), (tx) => removePool(tx, id, use));
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/pools/:id/ranges',
    {
      config: { permission: 'pools:write', idempotent: true },
      schema: {
        tags,
        operationId: 'pools.grow',
        summary: 'Add a range to an address pool',
        params: IdParams,
        querystring: WriteQuery,
        body: RangeBody,
        response: {
          201: PoolReply,
          ...problems('pool_unknown', 'pool_range_overlaps', 'pool_range_assigned', 'idempotency_key_reused'),
        },
      },
    },
    async (request, reply) => {
      const grown = await write(db, writing(request), (tx) => growPool(tx, request.params.id, request.body));
      return reply.code(201).send(grown);
    },
  );

  app.patch(
    '/pools/:id/ranges/:range_id',
    {
      config: { permission: 'pools:write' },
      schema: {
        tags,
        operationId: 'pools.drain',
        summary: 'Drain a range: what is leased stays until it ends, nothing new is leased; or use it again',
        params: RangeParams,
        querystring: WriteQuery,
        body: RangeChange,
        response: { 200: PoolReply, ...problems('pool_range_unknown') },
      },
    },
    (request) => {
      const { id, range_id } = request.params;
      return write(db, writing(request), (tx) => drainRange(tx, id, range_id, request.body.draining));
    },
  );

  app.delete(
    '/pools/:id/ranges/:range_id',
    {
      config: { permission: 'pools:write' },
      schema: {
        tags,
        operationId: 'pools.shrink',
        summary: 'Remove a range that was drained and is empty',
        params: RangeParams,
        querystring: WriteQuery,
        response: { 204: Empty, ...problems('pool_range_unknown', 'pool_in_use', 'ledger_unavailable') },
      },
    },
    async (request, reply) => {
      const { id, range_id } = request.params;
      const use = await fromLedger(() => network.poolUse(id));
      await write(db, writing(request), (tx) => removeRange(tx, id, range_id, use));
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/pools/:id/leases',
    {
      config: { permission: 'pools:read' },
      schema: {
        tags,
        operationId: 'pools.list_leases',
        summary: 'Who has which address of a pool, or had it last; in no order',
        params: IdParams,
        querystring: LeaseQuery,
        response: { 200: LeasesReply, ...problems('pool_unknown', 'ledger_unavailable') },
      },
    },
    (request) => listLeases(deps, tenantOf(request), request.params.id, request.query),
  );

  app.post(
    '/pools/:id/leases/release',
    {
      config: { permission: 'pools:write' },
      schema: {
        tags,
        operationId: 'pools.release',
        summary: 'Free an address whose session is known to be over; no session is ended by it',
        params: IdParams,
        body: ReleaseBody,
        response: { 204: Empty, ...problems('pool_unknown', 'lease_unknown', 'ledger_unavailable') },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const unit = unitOf(await read(db, tenantOf(request), (conn) => poolOf(conn, id)), request.body.address);
      // What is done in the ledger cannot be taken back: it is on record before.
      await write(db, writing(request), async (tx) => tx.audit('address_pool', id, request.body));
      const freed = await fromLedger(() => network.free(id, unit, clock.nowMs()));
      if (!freed) throw new Problem('lease_unknown', `nobody has ${request.body.address}`);
      return reply.code(204).send(null);
    },
  );
}
