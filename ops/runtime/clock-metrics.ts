// Metrics of the wall clock of a process: what it shows, and how often somebody set it.
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Clock } from './clock.ts';

/** Slewing by NTP is far below this between two looks; a step of less harms nothing here. */
const toleratedMs = 1000;

/** The clock is looked at whenever the metrics are asked for: a set clock shows as a step against the monotonic one. */
export function registerClockMetrics(registry: Registry, clock: Clock): void {
  const offset = () => clock.nowMs() - clock.monotonicMs();
  let known = offset();
  new Gauge({
    name: 'lastmile_wall_clock_seconds',
    help: 'What the wall clock shows; compared with the time of the scrape it gives the difference of the two machines',
    registers: [registry],
    collect() {
      this.set(clock.nowMs() / 1000);
    },
  });
  new Counter({
    name: 'lastmile_wall_clock_steps_total',
    help: 'How often the wall clock was found to have been set by more than a second, or the machine to have slept',
    registers: [registry],
    collect() {
      const now = offset();
      if (Math.abs(now - known) > toleratedMs) this.inc();
      known = now;
    },
  });
}
