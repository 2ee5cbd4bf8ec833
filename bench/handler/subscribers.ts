// The subscribers of `npm run seed` in a snapshot of LMDB, as a worker reads them.
import path from 'node:path';
import type { Changes } from '#aaa-server/subscribers/changes.ts';
import { openNodeForWriting, setCurrentSnapshot } from '#aaa-server/subscribers/environment.ts';
import { metaKeys, numberBytes } from '#aaa-server/subscribers/meta.ts';
import type { SourceRow } from '#aaa-server/subscribers/rows.ts';
import { openSnapshot } from '#aaa-server/subscribers/snapshot.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import { catalog } from '#ops/seed/demo.ts';

export const tenantId = 1;
export const secret = 'testing123';
export const password = 'pass123';

const afterTenGigabytes = {
  window: 'day',
  direction: 'total',
  thresholdBytes: 10_000_000_000,
  effect: { kind: 'speed', upBps: 2_000_000, downBps: 2_000_000 },
} as const;
const chunk = 1000;
const address = '127.0.0.0/8';

/** user0 … in `<folder>/subscribers`; answers that path. */
export async function writeSubscribers(
  folder: string,
  count: number,
  keyring: Keyring,
  changes?: Changes,
): Promise<string> {
  const snapshotPath = path.join(folder, 'subscribers');
  const snapshot = openSnapshot(snapshotPath, 'snapshot-1.mdb', 0, changes);
  const node = openNodeForWriting(snapshotPath);
  await snapshot.put(everybodysRows(keyring));
  for (let from = 0; from < count; from += chunk) {
    const length = Math.min(chunk, count - from);
    await snapshot.put(Array.from({ length }, (_, i) => subscriberRow(from + i, keyring)));
  }
  await snapshot.mark({ complete: true, feedAliveAtMs: Date.now() });
  // Ahead of the clock: the mirror of decided profiles counts as in step for as long as a bench lasts.
  await node.put(metaKeys.mirrorInStep, numberBytes(Date.now() + 86_400_000));
  await setCurrentSnapshot(node, snapshot.file);
  await snapshot.close();
  await node.close();
  return snapshotPath;
}

function everybodysRows(keyring: Keyring): SourceRow[] {
  return [
    { kind: 'tenant', record: { id: tenantId, slug: 'demo', timeZone: 'UTC', weekStart: 1, mode: 'enforce' } },
    ...catalog.map(({ upBps, downBps }, index) => ({
      kind: 'plan' as const,
      record: {
        tenantId,
        id: index + 1,
        speed: { upBps, downBps },
        fupRules: [afterTenGigabytes],
        suspendAction: 'reject' as const,
        graceMs: 0,
        interimIntervalS: 300,
        // As the feed gives it where nothing is drawn from a pool and nothing counted.
        network: {
          ...{ ipv4PoolId: null, ipv6PoolId: null, delegatedPoolId: null },
          ...{ sessionLimit: 0, macLimit: 0, macMode: 'lock' as const },
        },
        attributes: [],
      },
    })),
    {
      kind: 'nas',
      record: {
        tenantId,
        id: 1,
        name: 'this machine',
        address,
        identifier: null,
        vendor: 'mikrotik',
        secretCiphers: [keyring.encrypt('nas', `${tenantId}:${address}`, Buffer.from(secret))],
        coaAddress: null,
        coaPort: 3799,
        coaRatePerS: 100,
        mode: 'enforce',
        adoptedAtMs: null,
        messageAuthenticator: 'no',
        limitProxyState: 'no',
        replyMessageAuthenticator: true,
        learnSinceMs: 0,
      },
    },
  ];
}

function subscriberRow(index: number, keyring: Keyring): SourceRow {
  const id = index + 1;
  const userName = `user${index}`;
  const passwordCipher = keyring.encrypt('credential', `${tenantId}::${userName}`, Buffer.from(password));
  return {
    kind: 'subscription',
    record: {
      tenantId,
      id,
      customerId: id,
      planId: (index % catalog.length) + 1,
      customerStatus: 'active',
      status: 'active',
      holds: [],
      paidUntilMs: Date.now() + 365 * 86_400_000,
      paidUntilSetAtMs: Date.now(),
      anchorDay: 1,
      meter: 'radius',
      meterSinceMs: null,
      addresses: [],
    },
    credentials: [{ tenantId, realm: '', userName, subscriptionId: id, scheme: 'clear', passwordCipher }],
  };
}
