// Where each process listens so that nothing may be lost while it is replaced: the supervisor holds these sockets for it.
import os from 'node:os';
import type { ProcessName } from './environment.ts';
import type { SocketWish } from './held-sockets.ts';
import type { Settings } from './settings.ts';

export function socketWishes(name: ProcessName, settings: Settings): SocketWish[] {
  const addresses = settings.BIND_HOST;
  switch (name) {
    case 'aaa-server': {
      const common = { addresses, sets: threads(settings.AAA_WORKERS) };
      return [
        { ...common, name: 'radius-auth', kind: 'datagrams', port: settings.RADIUS_AUTH_PORT },
        { ...common, name: 'radius-acct', kind: 'datagrams', port: settings.RADIUS_ACCT_PORT },
        ...(settings.RADSEC_CERT === ''
          ? []
          : [{ ...common, name: 'radsec', kind: 'streams' as const, port: settings.RADSEC_PORT }]),
      ];
    }
    case 'flow-collector':
      return [
        {
          ...{ addresses, sets: threads(settings.FLOW_WORKERS) },
          ...{ name: 'netflow', kind: 'datagrams', port: settings.NETFLOW_PORT },
        },
      ];
    case 'control-api':
      return [];
    default:
      return name satisfies never;
  }
}

/** As the processes count them. */
export function threads(asked: number): number {
  return asked || Math.min(4, os.availableParallelism());
}
