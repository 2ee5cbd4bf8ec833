// Devices of a subscription: /subscriptions/{id}/devices.
import { type Api, tenantOf, writing } from '../api.ts';
import type { Deps } from '../deps.ts';
import { Empty, IdParams, problems } from '../fields.ts';
import { forgetDevices } from './commands.ts';
import { DeviceParams, DevicesReply } from './contract.ts';
import { listDevices } from './queries.ts';

const tags = ['subscriptions'];

export function deviceRoutes(app: Api, deps: Deps): void {
  app.get(
    '/subscriptions/:id/devices',
    {
      config: { permission: 'subscriptions:read' },
      schema: {
        tags,
        operationId: 'devices.list',
        summary: 'List the devices that a subscription is bound to',
        params: IdParams,
        response: { 200: DevicesReply, ...problems('subscription_unknown', 'ledger_unavailable') },
      },
    },
    (request) => listDevices(deps, tenantOf(request), request.params.id),
  );

  app.delete(
    '/subscriptions/:id/devices',
    {
      config: { permission: 'subscriptions:write' },
      schema: {
        tags,
        operationId: 'devices.forget_all',
        summary: 'Forget every device of a subscription: the next ones to log in are learned',
        params: IdParams,
        response: { 204: Empty, ...problems('subscription_unknown', 'ledger_unavailable') },
      },
    },
    async (request, reply) => {
      await forgetDevices(deps, writing(request), request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.delete(
    '/subscriptions/:id/devices/:mac',
    {
      config: { permission: 'subscriptions:write' },
      schema: {
        tags,
        operationId: 'devices.forget',
        summary: 'Forget one device of a subscription',
        params: DeviceParams,
        response: { 204: Empty, ...problems('subscription_unknown', 'device_unknown', 'ledger_unavailable') },
      },
    },
    async (request, reply) => {
      await forgetDevices(deps, writing(request), request.params.id, request.params.mac);
      return reply.code(204).send(null);
    },
  );
}
