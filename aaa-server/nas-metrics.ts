// What each access server sends, as metrics of the main thread; made when they are asked for.
import { Counter, Gauge, type Registry } from '#ops/runtime/metrics.ts';
import { oncePerScrape } from '#ops/runtime/once-per-scrape.ts';
import { maintenanceUntil } from '#policy/nas/maintenance.ts';
import { labelsOfNas, nasLabels, shownNases } from './nas-labels.ts';
import type { NasActivity } from './radius/nas-activity.ts';
import type { NasRecord, SnapshotReader } from './subscribers/records.ts';

export type NasMetricsDeps = {
  readonly snapshot: Pick<SnapshotReader, 'nasList'>;
  /** By NAS id, summed over the workers. */
  activities(): Promise<ReadonlyMap<number, NasActivity>>;
  /** Wall clock. */
  readonly startedAtMs: number;
  /** Wall clock. */
  nowMs(): number;
};

export function registerNasMetrics(registry: Registry, deps: NasMetricsDeps): void {
  const registers = [registry];

  const shown = oncePerScrape(async () => {
    const activities = await deps.activities();
    return shownNases(deps.snapshot.nasList()).map((nas) => ({
      labels: labelsOfNas(nas),
      activity: activities.get(nas.id),
    }));
  });

  new Gauge({
    name: 'lastmile_nas_last_packet_seconds',
    help: 'Wall clock of the last packet of an access server that verified; the start of the process when there was none since',
    labelNames: nasLabels,
    registers,
    async collect() {
      const nases = await shown();
      this.reset();
      for (const { labels, activity } of nases) {
        this.set(labels, (activity?.lastHeardAtMs || deps.startedAtMs) / 1000);
      }
    },
  });
  new Counter({
    name: 'lastmile_nas_requests_total',
    help: 'Requests of an access server, by kind, duplicates included',
    labelNames: [...nasLabels, 'kind'],
    registers,
    async collect() {
      const nases = await shown();
      this.reset();
      for (const { labels, activity } of nases) {
        for (const kind of ['access', 'accounting', 'status'] as const)
          this.inc({ ...labels, kind }, activity?.[kind] ?? 0);
      }
    },
  });
  const operated = (name: string, help: string, holds: (nas: NasRecord) => boolean) =>
    new Gauge({
      name,
      help,
      labelNames: nasLabels,
      registers,
      collect() {
        this.reset();
        for (const nas of shownNases(deps.snapshot.nasList())) this.set(labelsOfNas(nas), holds(nas) ? 1 : 0);
      },
    });
  operated(
    'lastmile_nas_maintenance',
    '1 within a window of maintenance of an access server: nothing is sent to it, its silence is no alarm',
    ({ maintenance }) => maintenanceUntil(maintenance, deps.nowMs()) !== undefined,
  );
  operated('lastmile_nas_draining', '1 while new logins at an access server are kept away', ({ drain }) => !!drain);
  const counter = (name: string, help: string, count: 'rejected' | 'dropped') =>
    new Counter({
      name,
      help,
      labelNames: nasLabels,
      registers,
      async collect() {
        const nases = await shown();
        this.reset();
        for (const { labels, activity } of nases) this.inc(labels, activity?.[count] ?? 0);
      },
    });
  counter('lastmile_nas_rejects_total', 'Access-Rejects to the users of an access server', 'rejected');
  counter('lastmile_nas_dropped_total', 'Packets of an access server that got no answer', 'dropped');
}
