// A view as one line of text, for where there is no terminal.
import { bytesText, durationText, msText, rateText } from './units.ts';
import type { View } from './view.ts';

export function progressLine(view: View): string {
  return [
    durationText(view.elapsedS),
    `${view.online}/${view.subscribers} online`,
    `↓ ${rateText(view.downBps)} ↑ ${rateText(view.upBps)}`,
    `accounting ${view.accountingPerS.toFixed(1)}/s in ${msText(view.responseMs.p50)}`,
    `${view.throttled} throttled, CoA ${view.dynamicAcked}/${view.dynamicRequests} after ${msText(view.lagMs.p50)}`,
    `RADIUS ${bytesText(view.radiusBytes)}, flows ${bytesText(view.flowBytes)}`,
  ].join(', ');
}
