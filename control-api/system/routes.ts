// The product itself: GET /system, the health of its processes and of the stores they depend on.
import type { ReadyCheck } from '#ops/runtime/admin.ts';
import type { Api } from '../api.ts';
import type { Deps } from '../deps.ts';
import { problems } from '../fields.ts';
import { SystemReply } from './contract.ts';
import { healthOf } from './queries.ts';

export function systemRoutes(
  app: Api,
  { neighbours }: Pick<Deps, 'neighbours'>,
  { ready, version }: { ready: readonly ReadyCheck[]; version: string },
): void {
  app.get(
    '/system',
    {
      config: { permission: 'system:read', platform: true },
      schema: {
        tags: ['system'],
        operationId: 'system.get',
        summary: 'The health of processes and stores',
        response: { 200: SystemReply, ...problems() },
      },
    },
    async () => ({ version, processes: [...(await healthOf(ready, neighbours))] }),
  );
}
