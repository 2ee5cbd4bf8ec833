// Moves the traffic of a session for a while: what its subscriber wants, at most what its speed permits, times the demo's time factor.
import { carried, moderation } from '../traffic/appetite.ts';
import type { RateMeter } from './meters.ts';
import { carry, type Session } from './session.ts';

export type TrafficOptions = {
  /** Seconds of traffic in a second. */
  readonly factor: number;
  readonly up: readonly RateMeter[];
  readonly down: readonly RateMeter[];
};

export function createTraffic({ factor, up, down }: TrafficOptions) {
  return {
    move(session: Session, nowMs: number, elapsedMs: number, activity: number): void {
      const { subscriber, speed } = session;
      const { limitBytes, appetite } = subscriber;
      const used = subscriber.usedToday + subscriber.carried.up + subscriber.carried.down;
      const restraint = limitBytes === null || used >= limitBytes ? 1 : moderation(used, limitBytes);
      const wanted = appetite.wanted(nowMs, activity, restraint);
      const moved = carried(wanted, speed, (elapsedMs / 1000) * factor);
      carry(session, moved);
      for (const meter of up) meter.add(moved.up, nowMs);
      for (const meter of down) meter.add(moved.down, nowMs);
    },
  };
}
