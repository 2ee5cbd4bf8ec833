// Takes over senders of flows whose tenant is certain: those at the address of an access server, or all when there is one tenant.
import { messageOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { TenantScope } from '../database/connect.ts';
import { read } from '../database/read.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { discoverExporters } from './commands.ts';
import { countDiscovered, ownersOf } from './queries.ts';

export type DiscoveryDeps = Pick<Deps, 'db' | 'exporterTraffic'> & { readonly log: Logger };

/** Whoever can send datagrams can invent senders: so many of a tenant are taken over unasked. */
const mostDiscovered = 1000;

/** @returns how many exporters were made. */
export async function discover({ db, exporterTraffic }: Pick<Deps, 'db' | 'exporterTraffic'>): Promise<number> {
  const owners = await ownersOf(db, [...(await exporterTraffic()).keys()]);
  let made = 0;
  for (const [tenantId, owned] of Map.groupBy(owners, (one) => one.tenantId)) {
    if (tenantId === null) continue;
    const scope: TenantScope = { kind: 'tenant', tenantId };
    const room = mostDiscovered - (await read(db, scope, countDiscovered));
    const senders = owned.slice(0, Math.max(0, room)).map(({ sender }) => sender);
    if (senders.length === 0) continue;
    const context = { scope, userId: null, requestId: '', action: 'exporters.discover' };
    await write(db, context, (tx) => discoverExporters(tx, senders));
    made += senders.length;
  }
  return made;
}

export function createDiscovery({ log, ...deps }: DiscoveryDeps, intervalMs = 5000): Part {
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let failing = false;

  async function look(): Promise<void> {
    try {
      const made = await discover(deps);
      if (made > 0) log.info({ exporters: made }, 'exporters discovered');
      failing = false;
    } catch (error) {
      // PostgreSQL or Redis is away: said once, tried again.
      if (!failing) log.warn({ reason: messageOf(error) }, 'senders of flows cannot be looked at');
      failing = true;
    }
  }

  return {
    name: 'discovery of exporters',
    async start() {
      timer ??= setInterval(() => {
        looking ??= look().finally(() => {
          looking = undefined;
        });
      }, intervalMs);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await looking;
    },
  };
}
