// Lays a view out in lines of a given width and height: the figures above, an access server per row, the last events below.
import type { DemoEvent } from '../isp/meters.ts';
import { clip, justified, type Line, type Span, type Style, span } from './canvas.ts';
import { bytesText, durationText, msText, rateText, sparkline, timeText, wholeText } from './units.ts';
import type { ServerView, View } from './view.ts';

const labelWidth = 12;
const eventStyles: Readonly<Record<DemoEvent['kind'], Style>> = {
  crossing: 'warn',
  change: 'accent',
  outage: 'bad',
  office: 'dim',
  trouble: 'bad',
};

export function layout(view: View, width: number, height: number): Line[] {
  const head = [titleOf(view, width), [], ...figures(view, width), [], headings()];
  const footer: Line = [span(` ${view.notice ?? 'Ctrl-C ends the run and proves that every byte was counted'}`, 'dim')];
  // A blank line and at least three events stay below the access servers.
  const rows = Math.max(1, Math.min(view.servers.length, height - head.length - 6));
  const servers = view.servers.slice(0, rows).map(serverLine);
  const events = view.events.slice(0, Math.max(0, height - head.length - rows - 3)).map(eventLine);
  const body: Line[] = [...head, ...servers, [], ...events];
  const filled = [...body, ...Array.from({ length: Math.max(0, height - 1 - body.length) }, (): Line => [])];
  return [...filled.slice(0, height - 1), footer].map((line) => clip(line, width));
}

function titleOf(view: View, width: number): Line {
  const elapsed = durationText(Math.min(view.elapsedS, view.durationS ?? Number.POSITIVE_INFINITY));
  const of = view.durationS === null ? '' : ` of ${durationText(view.durationS)}`;
  return justified(
    [span(' LASTMILE  a living ISP', 'title')],
    [span(`subscribers' time ${view.clock}, × ${view.factor}   ${elapsed}${of} `, 'title')],
    width,
    'title',
  );
}

function figures(view: View, width: number): Line[] {
  const chart = Math.max(8, Math.min(48, Math.floor((width - 54) / 2)));
  const { radiusBytes, flowBytes, flowLostBytes } = view;
  const difference = flowBytes + flowLostBytes - radiusBytes;
  const share = radiusBytes === 0 ? 0 : (100 * difference) / radiusBytes;
  const backlog = view.backlogBytes === null ? 'not told' : bytesText(view.backlogBytes);
  return [
    row('Online', [
      span(`${wholeText(view.online)}`, 'bold'),
      span(` of ${wholeText(view.subscribers)}   logins `),
      span(`${view.loginsPerS.toFixed(1)}/s`, 'bold'),
      span(`, ${wholeText(view.accepts)} accepted, ${wholeText(view.rejects)} rejected`),
    ]),
    row('Traffic', [
      span(`↓ ${rateText(view.downBps).padEnd(12)}`, 'down'),
      span(sparkline(view.downHistory, chart), 'down'),
      span(`   ↑ ${rateText(view.upBps).padEnd(12)}`, 'up'),
      span(sparkline(view.upHistory, chart), 'up'),
    ]),
    row('Accounting', [
      span(`${view.accountingPerS.toFixed(1)}/s`, 'bold'),
      span(`   answered in ${msText(view.responseMs.p50)} (p50) ${msText(view.responseMs.p99)} (p99)`),
      span(`   repeated ${view.retransmissions}`, 'dim'),
    ]),
    row('Throttled', [
      span(`${view.throttled}`, view.throttled > 0 ? 'warn' : 'plain'),
      span(`   CoA ${view.dynamicRequests}, acknowledged ${view.dynamicAcked}   after `),
      span(msText(view.lagMs.p50), 'bold'),
      span(` (p50) ${msText(view.lagMs.p99)} (p99)`),
    ]),
    row('Counted', [
      span(`RADIUS ${bytesText(radiusBytes)}`, 'bold'),
      span(`   flows ${bytesText(flowBytes)}`),
      span(`   difference ${bytesText(difference)} (${share.toFixed(1)} %)`, 'dim'),
    ]),
    row('Lastmile', [
      span(`to count ${backlog}   flow: ${view.flow}   `),
      span(`mishaps on purpose ${view.mishaps}`, 'dim'),
    ]),
  ];
}

function row(label: string, spans: readonly Span[]): Line {
  return [span(` ${label.padEnd(labelWidth)}`, 'dim'), ...spans];
}

const columns = { name: 8, address: 12, online: 9, throttled: 11, rate: 13, accounting: 8, dynamic: 5 } as const;

function headings(): Line {
  const { name, address, online, throttled, rate, accounting, dynamic } = columns;
  const text =
    ` ${'server'.padEnd(name)}${'address'.padEnd(address)}${'online'.padStart(online)}${'throttled'.padStart(throttled)}` +
    `${'↓'.padStart(rate)}${'↑'.padStart(rate)}${'acct/s'.padStart(accounting)}${'CoA'.padStart(dynamic)}`;
  return [span(text, 'dim')];
}

function serverLine(server: ServerView): Line {
  const { name, address, online, throttled, rate, accounting, dynamic } = columns;
  const up = server.phase === 'up';
  return [
    span(` ${server.name.padEnd(name)}`, up ? 'bold' : 'bad'),
    span(server.address.padEnd(address), 'dim'),
    span((up ? String(server.online) : server.phase).padStart(online), up ? 'plain' : 'bad'),
    span(String(server.throttled).padStart(throttled), server.throttled > 0 ? 'warn' : 'dim'),
    span(rateText(server.downBps).padStart(rate), 'down'),
    span(rateText(server.upBps).padStart(rate), 'up'),
    span(server.accountingPerS.toFixed(1).padStart(accounting)),
    span(String(server.dynamicRequests).padStart(dynamic)),
  ];
}

function eventLine({ atMs, kind, text }: DemoEvent): Line {
  return [span(` ${timeText(atMs)}  `, 'dim'), span(text, eventStyles[kind])];
}
