// RadSec as the main thread sees it: certificates, connections by access server, and what the workers are given.
import { radsecFiles } from '#ops/pki/radsec-settings.ts';
import type { Clock } from '#ops/runtime/clock.ts';
import { InvalidSettings, messageOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Registry } from '#ops/runtime/metrics.ts';
import type { Settings } from '../config.ts';
import type { SnapshotReader } from '../subscribers/records.ts';
import type { Workers } from '../workers.ts';
import { createRadsecLinks, type RadsecLinks } from './links.ts';
import { createRadsecMaterial, type RadsecMaterial } from './material.ts';
import { createRadsecMetrics } from './metrics.ts';
import type { RadsecSettings } from './protocol.ts';

export type Radsec = {
  /** Null: it is off. */
  readonly settings: RadsecSettings | null;
  readonly links: RadsecLinks;
  readonly parts: readonly Part[];
};

export type RadsecDeps = {
  readonly workerCount: number;
  readonly registry: Registry;
  readonly log: Logger;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly snapshot: Pick<SnapshotReader, 'nasList'>;
  /** They are made with the settings of this, so they come later. */
  workers(): Pick<Workers, 'orderRadsec' | 'orderRadsecOfAll'>;
};

/** @throws {InvalidSettings} when its settings or files cannot be used. */
export function createRadsec(config: Settings, deps: RadsecDeps): Radsec {
  const { registry, log, clock, snapshot, workers } = deps;
  let material: RadsecMaterial | undefined;
  const links = createRadsecLinks(
    (worker, order) => workers().orderRadsec(worker, order),
    () => metrics.strayAnswers.inc(),
  );
  const metrics = createRadsecMetrics(registry, {
    ...{ snapshot, connections: links.connections },
    expiresAtMs: () => material?.expiresAtMs() ?? new Map(),
  });
  const files = radsecFiles(config);
  if (files.kind === 'wrong') throw new InvalidSettings(files.problems);
  if (files.kind === 'off') return { settings: null, links, parts: [] };
  try {
    material = createRadsecMaterial(files.paths, {
      ...{ log, clock },
      onChange: (changed, recheck) =>
        workers().orderRadsecOfAll({ type: 'radsec_material', material: changed, recheck }),
      onFailure: () => metrics.reloadFailures.inc(),
    });
  } catch (error) {
    throw new InvalidSettings([`RadSec: ${messageOf(error)}`]);
  }
  return {
    links,
    parts: [material],
    settings: {
      port: config.RADSEC_PORT,
      material: material.current(),
      version11: config.RADSEC_RADIUS_1_1,
      open: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
      limits: {
        connections: config.RADSEC_CONNECTIONS,
        perAddress: Math.ceil(config.RADSEC_CONNECTIONS_PER_ADDRESS / deps.workerCount),
        handshakeMs: 10_000,
        idleMs: config.RADSEC_IDLE_S * 1000,
        packetMs: 30_000,
        unreadBytes: 256 * 1024,
      },
    },
  };
}
