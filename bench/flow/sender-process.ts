// Sends prepared datagrams of flows at an even pace, from the addresses of several exporters.
import { createSocket, type Socket } from 'node:dgram';
import { obeyParent } from '../machine/pinned-child.ts';
import { type Datagrams, makeDatagrams } from './datagrams.ts';
import type { FlowLoad, FromSender, Sent, ToSender } from './protocol.ts';

type Exporter = { readonly socket: Socket; readonly datagrams: Datagrams; next: number; sequence: number };

/** Uptime of every exporter when this process started: an hour. */
const bootedMs = performance.now() - 3_600_000;
const templateEachMs = 500;
const mostAtOnce = 128;
let load: FlowLoad | undefined;
let prepared: readonly Datagrams[] = [];

obeyParent<ToSender, FromSender>(async (message, tell) => {
  if (message.type === 'prepare') {
    load = message.load;
    prepared = prepare(load);
    return tell({ type: 'prepared' });
  }
  const exporters = await connect(message.port);
  try {
    tell({ type: 'sent', sent: await send(exporters, message.perSecond ?? Number.POSITIVE_INFINITY, message.seconds) });
  } finally {
    for (const { socket } of exporters) socket.close();
  }
});

function prepare({ format, recordsEach, exporters, datagrams, subscribers }: FlowLoad): Datagrams[] {
  const uptimeMs = Math.floor(performance.now() - bootedMs);
  return Array.from({ length: exporters }, (_, exporter) =>
    makeDatagrams({
      format,
      recordsEach,
      datagrams,
      exporter: exporter + 1,
      subscribers,
      firstSubscriber: exporter * datagrams * recordsEach,
      uptimeMs,
    }),
  );
}

function connect(port: number): Promise<Exporter[]> {
  return Promise.all(
    prepared.map(async (datagrams, index) => {
      const socket = createSocket({ type: 'udp4', sendBufferSize: 4 * 1024 * 1024 });
      await new Promise<void>((resolve) => socket.bind(0, `127.0.1.${index + 1}`, resolve));
      await new Promise<void>((resolve) => socket.connect(port, '127.0.0.1', resolve));
      return { socket, datagrams, next: 0, sequence: 0 };
    }),
  );
}

async function send(exporters: readonly Exporter[], perSecond: number, seconds: number): Promise<Sent> {
  const failures: Error[] = [];
  for (const { socket } of exporters) socket.on('error', (error) => failures.push(error));
  for (const exporter of exporters) sendTemplate(exporter);
  const cpuBefore = process.cpuUsage();
  const from = performance.now();
  const most = perSecond * seconds;
  let datagrams = 0;
  let flows = 0;
  let flowBytes = 0;
  let templatesAt = from;
  let now = from;
  while (now - from < seconds * 1000 && failures.length === 0) {
    const due = Math.min(most, ((now - from) / 1000) * perSecond);
    for (let n = 0; n < mostAtOnce && datagrams < due; n++) {
      const exporter = exporters[datagrams % exporters.length];
      if (!exporter) throw new Error('nothing is prepared');
      flowBytes += sendNext(exporter);
      flows += exporter.datagrams.recordsEach;
      datagrams++;
    }
    if (now - templatesAt > templateEachMs) {
      templatesAt = now;
      for (const exporter of exporters) sendTemplate(exporter);
    }
    // What the kernel would not take at once leaves from the event loop.
    await new Promise(setImmediate);
    now = performance.now();
  }
  const [failure] = failures;
  if (failure) throw failure;
  const { user, system } = process.cpuUsage(cpuBefore);
  const elapsedS = (now - from) / 1000;
  return { datagrams, flows, flowBytes, seconds: elapsedS, cores: (user + system) / 1e6 / elapsedS };
}

function sendNext(exporter: Exporter): number {
  const { ring, flowBytes } = exporter.datagrams;
  const index = exporter.next++ % ring.length;
  stampAndSend(exporter, ring[index]);
  return flowBytes[index] ?? 0;
}

function sendTemplate(exporter: Exporter): void {
  if (exporter.datagrams.template) stampAndSend(exporter, exporter.datagrams.template);
}

function stampAndSend(exporter: Exporter, datagram: Buffer | undefined): void {
  if (!datagram) return;
  const uptimeMs = performance.now() - bootedMs;
  exporter.sequence = exporter.datagrams.stamp(datagram, exporter.sequence, uptimeMs, Date.now());
  exporter.socket.send(datagram);
}
