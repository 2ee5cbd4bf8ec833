// What is told at the end of a run, and the verdict: every byte accounted for, or the list of those that are not.

import type { Testimony } from './proof/witness.ts';
import { bytesText, durationText, msText, wholeText } from './screen/units.ts';
import type { Percentiles } from './screen/view.ts';
import type { Summary } from './summarize.ts';

const mostShown = 20;

export function summaryLines(summary: Summary): string[] {
  const { logins, accounting, enforcement, reboots, mishaps, flows } = summary;
  const ms = ({ p50, p99 }: Percentiles) => `${msText(p50)} (p50), ${msText(p99)} (p99)`;
  return [
    `${durationText(summary.durationS)} with ${summary.subscribers} subscribers on ${summary.accessServers} access servers, time × ${summary.timeFactor}`,
    line('logins', `${logins.accepted} accepted, ${logins.rejected} rejected`),
    line(
      'accounting',
      `${bytesText(accounting.acknowledgedBytes)} acknowledged, each record in ${ms(accounting.responseMs)}`,
    ),
    line(
      'throttled',
      `${enforcement.crossings} crossed their limit, slower after ${ms(enforcement.lagMs)}; ${enforcement.acknowledged} of ${enforcement.requests} CoA and Disconnect requests done`,
    ),
    line(
      'on purpose',
      `${mishaps.lost} datagrams lost, ${mishaps.doubled} doubled, ${mishaps.late} late, ${accounting.sentAgain} requests sent again; ${reboots.count} reboots took ${reboots.sessionsLost} sessions and ${bytesText(accounting.unreportedBytes)} that nobody reported`,
    ),
    line(
      'flows',
      `${bytesText(flows.exportedBytes)} in ${wholeText(flows.records)} records of ${wholeText(flows.datagrams)} datagrams, ${flows.lost} of them lost on purpose; ${flows.collector}`,
    ),
    ...summary.testimonies.flatMap(testimonyLines),
    ...summary.absent.map((text) => line('proof', text)),
    ...(accounting.unansweredBytes > 0
      ? [line('unanswered', `${bytesText(accounting.unansweredBytes)} in records that got no answer: counted or not`)]
      : []),
    ...summary.errors.map((text) => `error: ${text}`),
    summary.allBytesAccountedFor ? 'all bytes accounted for' : 'NOT all bytes are accounted for',
  ];
}

/** The summary for programs: keys in snake case. */
export function summaryJson(summary: Summary): string {
  return JSON.stringify(inSnakeCase(summary), null, 2);
}

function inSnakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inSnakeCase);
  if (typeof value !== 'object' || value === null) return value;
  const named = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [named(key), inSnakeCase(item)]));
}

function testimonyLines(testimony: Testimony): string[] {
  const { witness, subscribers, expectedBytes, foundBytes, differences, problem } = testimony;
  const right = subscribers - differences.length;
  const shown = differences.slice(0, mostShown);
  return [
    line(
      'proof',
      `${witness} agrees for ${right} of ${subscribers} subscribers: ${wholeText(foundBytes)} bytes, expected ${wholeText(expectedBytes)}`,
    ),
    ...(problem === null ? [] : [`    it did not answer in the end: ${problem}`]),
    ...shown.map(({ userName, expected, found }) => `    ${userName}: ${expected} expected, ${found} found`),
    ...(differences.length > shown.length ? [`    and ${differences.length - shown.length} more`] : []),
  ];
}

function line(label: string, text: string): string {
  return `  ${label.padEnd(12)}${text}`;
}
