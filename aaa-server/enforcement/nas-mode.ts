// Whether an access server may be told anything at an instant: the modes of tenant and access server, and windows of maintenance.
import type { EnforcementMode, NasRecord } from '#aaa-server/subscribers/records.ts';
import { maintenanceUntil } from '#policy/nas/maintenance.ts';

export function weaker(a: EnforcementMode, b: EnforcementMode): EnforcementMode {
  if (a === 'off' || b === 'off') return 'off';
  return a === 'observe' || b === 'observe' ? 'observe' : 'enforce';
}

/** Within a window it is only observed: what is due is known when the window ends. */
export function modeAt(
  tenantMode: EnforcementMode | undefined,
  nas: Pick<NasRecord, 'mode' | 'maintenance'> | undefined,
  nowMs: number,
): EnforcementMode {
  const mode = weaker(tenantMode ?? 'observe', nas?.mode ?? 'observe');
  const isLeftAlone = maintenanceUntil(nas?.maintenance, nowMs) !== undefined;
  return isLeftAlone ? weaker(mode, 'observe') : mode;
}
