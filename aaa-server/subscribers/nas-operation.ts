// How an access server is operated, beside what it is: part of its record in the snapshot. From feed_nas_operation.
import type { DrainAnswer } from '#policy/nas/drain.ts';
import type { MaintenanceWindow } from '#policy/nas/maintenance.ts';

/** auto: what asks for a login to the device itself is answered to staff alone. never: every login there is a subscriber's. */
export type DeviceLoginsMode = 'auto' | 'never';

export type NasMove = {
  readonly id: number;
  /** No more sessions than these are ended, as an operator has confirmed. */
  readonly most: number;
  readonly perS: number;
};

export type NasDrain = { readonly answer: DrainAnswer; readonly move: NasMove | null };

/** What is absent was not there when the snapshot was written: as usual. */
export type NasOperation = {
  readonly deviceLogins: DeviceLoginsMode;
  /** Also those that ended within the last day. */
  readonly maintenance: readonly MaintenanceWindow[];
  /** Null: new logins are let in. */
  readonly drain: NasDrain | null;
};

export const nasOperationColumns = 'device_logins, maintenance, drain';
export type NasOperationColumns = {
  device_logins: DeviceLoginsMode;
  maintenance: { from: string; until: string }[];
  drain: { answer: DrainAnswer; move: { id: number; most: number; per_s: number } | null } | null;
};

export function nasOperation({ device_logins, maintenance, drain }: NasOperationColumns): NasOperation {
  return {
    deviceLogins: device_logins,
    maintenance: maintenance.map(({ from, until }) => ({ fromMs: Date.parse(from), untilMs: Date.parse(until) })),
    drain: drain && {
      answer: drain.answer,
      move: drain.move && { id: drain.move.id, most: drain.move.most, perS: drain.move.per_s },
    },
  };
}
