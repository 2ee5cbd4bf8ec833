// What the main thread shows of RadSec; also where it is off, so that queries of it always find their names.
import { Counter, Gauge, type Registry } from '#ops/runtime/metrics.ts';
import { labelsOfNas, nasLabels, shownNases } from '../nas-labels.ts';
import type { SnapshotReader } from '../subscribers/records.ts';

export type RadsecMetricsDeps = {
  readonly snapshot: Pick<SnapshotReader, 'nasList'>;
  /** Wall clock in ms, by kind of file. */
  expiresAtMs(): ReadonlyMap<string, number>;
  /** By NAS id. */
  connections(): ReadonlyMap<number, number>;
};

export function createRadsecMetrics(registry: Registry, deps: RadsecMetricsDeps) {
  const registers = [registry];
  new Gauge({
    name: 'lastmile_radsec_certificate_expires_seconds',
    help: 'Wall clock at which the certificate of the RadSec server, an authority of access servers or a revocation list expires',
    labelNames: ['file'],
    registers,
    collect() {
      this.reset();
      for (const [file, atMs] of deps.expiresAtMs()) this.set({ file }, atMs / 1000);
    },
  });
  new Gauge({
    name: 'lastmile_nas_radsec_connections',
    help: 'RadSec connections of an access server that is known by a certificate',
    labelNames: nasLabels,
    registers,
    collect() {
      const counts = deps.connections();
      this.reset();
      for (const nas of shownNases(deps.snapshot.nasList())) {
        if (nas.radsecIdentity) this.set(labelsOfNas(nas), counts.get(nas.id) ?? 0);
      }
    },
  });
  return {
    reloadFailures: new Counter({
      name: 'lastmile_radsec_reload_failures_total',
      help: 'Changed RadSec files that could not be used; the former ones stay in use',
      registers,
    }),
    strayAnswers: new Counter({
      name: 'lastmile_radsec_stray_answers_total',
      help: 'Packets of access servers that answer no request of ours, or too late',
      registers,
    }),
  };
}
