// The worker threads of aaa-server as the main thread runs them, over a snapshot in LMDB; alice logs in with wonderland.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { walRoot } from '#aaa-server/accounting/accounting.ts';
import { createProvenPlaces } from '#aaa-server/auth/proven.ts';
import type { LoginBatch } from '#aaa-server/login-log/log.ts';
import { createChanges, createChangesBuffer } from '#aaa-server/subscribers/changes.ts';
import { openNodeForWriting, setCurrentSnapshot } from '#aaa-server/subscribers/environment.ts';
import type { NasRecord } from '#aaa-server/subscribers/records.ts';
import { openSnapshot } from '#aaa-server/subscribers/snapshot.ts';
import { createWorkers } from '#aaa-server/workers.ts';
import { walFolder } from '#ops/lanes/ledger-log.ts';
import type { TlsIdentity } from '#ops/runtime/eap-identity.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import type { LearnedOfNas } from '#ops/stores/nas-edge.ts';
import type { EapMethodName } from '#policy/credentials/eap-methods.ts';
import { createIsp, masters } from './isp.ts';

type Teardown = { teardown(handler: () => unknown): unknown };

export type StartOptions = {
  count?: number;
  redisUrl?: string;
  ports?: number[];
  script?: URL;
  identity?: TlsIdentity;
  methods?: readonly EapMethodName[];
  nases?: readonly NasRecord[];
  /** Instead of keeping them all. */
  onLogins?: (batch: LoginBatch) => void;
};

export async function startWorkers(t: Teardown, options: StartOptions = {}) {
  const { count = 2, redisUrl = 'redis://127.0.0.1:1', ports = [0, 0], script, identity } = options;
  const { methods = identity ? ['peap'] : ['md5'], nases } = options;
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-workers-'));
  const snapshotPath = path.join(folder, 'subscribers');
  const changes = { snapshot: createChangesBuffer(), profiles: createChangesBuffer() };
  const snapshot = openSnapshot(snapshotPath, 'snapshot-1.mdb', 0, createChanges(changes.snapshot));
  const node = openNodeForWriting(snapshotPath);
  const isp = createIsp();
  isp.addSubscriber('alice', 'wonderland');
  if (nases) isp.setNases(nases);
  await snapshot.put(isp.rows());
  await snapshot.mark({ complete: true, feedAliveAtMs: Date.now() });
  await setCurrentSnapshot(node, 'snapshot-1.mdb');
  const registry = new Registry();
  const events: number[] = [];
  const fatal: Error[] = [];
  const learned: LearnedOfNas[] = [];
  const logins: LoginBatch[] = [];
  const workers = createWorkers({
    count,
    settings: {
      addresses: ['127.0.0.1'],
      authPort: ports[0]!,
      acctPort: ports[1]!,
      udpDriver: 'auto',
      receiveBufferBytes: 0,
      rejectDelayMs: 0,
      proven: createProvenPlaces(),
      learnWindowMs: 86_400_000,
      eap: { node: 'node', workers: count, methods: [...methods], identity: identity ?? null },
      masters,
      snapshotPath,
      changes,
      proxy: {
        root: path.join(folder, 'proxy-accounting'),
        workers: Array.from({ length: count }, (_, index) => `node-${index}`),
        keeping: { keepMs: 3_600_000, bytes: 1_000_000_000 },
      },
      redisUrl,
      loginLedgerMs: 100,
      loginLog: { acceptsPerSecond: 1000, rejectsPerSecond: 1000 },
      feedSilence: { toleratedMs: 900_000, extraGraceMs: 86_400_000 },
      logLevel: 'silent',
      radsec: null,
    },
    walFolder: (index) => walFolder(walRoot(folder), 'node', index),
    registry,
    log: createLogger('test', 'silent'),
    onEvents: (partitions) => events.push(...partitions),
    learned: () => learned,
    onLearned: (one) => learned.push(one),
    onLogins: options.onLogins ?? ((batch) => logins.push(batch)),
    onRadsec: () => undefined,
    onFatal: (error) => fatal.push(error),
    ...(script ? { script } : {}),
  });
  t.teardown(async () => {
    await workers.stop();
    await snapshot.close();
    await node.close();
    rmSync(folder, { recursive: true, force: true });
  });
  await workers.start();
  const { authPort, acctPort } = workers.ports();
  const metric = async (line: RegExp) => {
    const found = (await registry.metrics()).split('\n').find((text) => line.test(text));
    return found === undefined ? Number.NaN : Number(found.split(' ').at(-1));
  };
  return {
    workers,
    registry,
    snapshot,
    node,
    isp,
    events,
    learned,
    logins,
    fatal,
    metric,
    auth: `127.0.0.1:${authPort}`,
    acct: `127.0.0.1:${acctPort}`,
    authPort,
    acctPort,
  };
}
