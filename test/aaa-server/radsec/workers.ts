// Real RADIUS workers with RadSec, as the main thread runs them, over a snapshot in LMDB; the port can be given, so that they can come again.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { walRoot } from '#aaa-server/accounting/accounting.ts';
import { createProvenPlaces } from '#aaa-server/auth/proven.ts';
import { createRadsecLinks } from '#aaa-server/radsec/links.ts';
import { createChangesBuffer } from '#aaa-server/subscribers/changes.ts';
import { openNodeForWriting, setCurrentSnapshot } from '#aaa-server/subscribers/environment.ts';
import type { NasRecord } from '#aaa-server/subscribers/records.ts';
import { openSnapshot } from '#aaa-server/subscribers/snapshot.ts';
import { createWorkers, type Workers } from '#aaa-server/workers.ts';
import { walFolder } from '#ops/lanes/ledger-log.ts';
import { createLogger } from '#ops/runtime/log.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import { createIsp, masters } from '../support/isp.ts';
import type { TestAuthority } from './certificates.ts';
import { generous } from './harness.ts';

type Teardown = { teardown(handler: () => unknown): unknown };

export type RadsecWorkersOptions = {
  authority: TestAuthority;
  nases: readonly NasRecord[];
  count?: number;
  /** 0: one the system chooses. */
  port?: number;
  redisUrl?: string;
};

export async function startRadsecWorkers(t: Teardown, options: RadsecWorkersOptions) {
  const { authority, nases, count = 2, port = 0, redisUrl = 'redis://127.0.0.1:1' } = options;
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-radsec-'));
  const snapshotPath = path.join(folder, 'subscribers');
  const snapshot = openSnapshot(snapshotPath, 'snapshot-1.mdb');
  const node = openNodeForWriting(snapshotPath);
  const isp = createIsp();
  isp.addSubscriber('alice', 'wonderland');
  isp.setNases(nases);
  await snapshot.put(isp.rows());
  await snapshot.mark({ complete: true, feedAliveAtMs: Date.now() });
  await setCurrentSnapshot(node, 'snapshot-1.mdb');
  const registry = new Registry();
  const strays = { count: 0 };
  const links = createRadsecLinks(
    (worker, order) => workers.orderRadsec(worker, order),
    () => strays.count++,
  );
  const workers: Workers = createWorkers({
    count,
    settings: {
      ...{ addresses: ['127.0.0.1'], authPort: 0, acctPort: 0, udpDriver: 'auto', receiveBufferBytes: 0 },
      ...{ rejectDelayMs: 0, masters, snapshotPath, redisUrl, logLevel: 'silent' },
      changes: { snapshot: createChangesBuffer(), profiles: createChangesBuffer() },
      proven: createProvenPlaces(),
      learnWindowMs: 86_400_000,
      eap: { node: 'node', workers: count, methods: ['md5'], identity: null },
      loginLedgerMs: 100,
      proxy: {
        root: path.join(folder, 'proxy-accounting'),
        workers: Array.from({ length: count }, (_, index) => `node-${index}`),
        keeping: { keepMs: 3_600_000, bytes: 1_000_000_000 },
      },
      loginLog: { acceptsPerSecond: 0, rejectsPerSecond: 0 },
      feedSilence: { toleratedMs: 900_000, extraGraceMs: 86_400_000 },
      radsec: {
        ...{ port, material: authority.material(), limits: generous, version11: false },
        open: new SharedArrayBuffer(4),
      },
    },
    walFolder: (index) => walFolder(walRoot(folder), 'node', index),
    registry,
    log: createLogger('test', 'silent'),
    learned: () => [],
    onLearned: () => undefined,
    onEvents: () => undefined,
    onLogins: () => undefined,
    onRadsec: links.hear,
    onFatal: (error) => {
      throw error;
    },
  });
  t.teardown(async () => {
    await workers.stop();
    await snapshot.close();
    await node.close();
    rmSync(folder, { recursive: true, force: true });
  });
  await workers.start();
  return {
    ...{ workers, links, snapshot, isp, strays },
    port: workers.radsecPort() ?? 0,
    async metric(line: RegExp): Promise<number> {
      const found = (await registry.metrics()).split('\n').find((text) => line.test(text));
      return found === undefined ? Number.NaN : Number(found.split(' ').at(-1));
    },
  };
}
