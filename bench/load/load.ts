// One run of a load: warm up, measure, wait for the last replies. A window of requests that is kept full, or requests at even distances.
import type { Secret } from '#aaa-server/wire/md5.ts';
import type { GivenAddresses } from './given-addresses.ts';
import { createLines } from './lines.ts';
import type { PacketStore } from './packet-store.ts';
import type { RunPlan, RunResult } from './protocol.ts';
import { openSockets } from './sockets.ts';

export type LoadOptions = {
  readonly port: number;
  readonly sockets: number;
  readonly secret: Secret;
  readonly store: PacketStore;
  readonly verify: boolean;
  readonly addresses?: GivenAddresses | undefined;
  /** The measured span begins or ends now. */
  onMeasuring(): void;
  onMeasured(): void;
};

export type Load = { run(plan: RunPlan): Promise<RunResult>; close(): Promise<void> };

const timeoutMs = 1000;
const attempts = 6;
const scanMs = 20;
/** Requests that a late turn of the event loop sends at once to catch up with the pace. */
const mostAtOnce = 64;

export async function createLoad(options: LoadOptions): Promise<Load> {
  const { store } = options;
  let onFree: (line: number) => void = () => undefined;
  const sockets = await openSockets(options.sockets, options.port, (socket, reply) => lines.onReply(socket, reply));
  const lines = createLines({
    ...options,
    verifyEach: 32,
    timeoutMs,
    attempts,
    send: sockets.send,
    onFree: (line) => onFree(line),
  });

  async function run(plan: RunPlan): Promise<RunResult> {
    lines.reset();
    let running = true;
    let exhausted = false;
    const mayGo = (line: number) => {
      const may = running && lines.hasNext(line);
      if (running && !may) exhausted = true;
      return may;
    };
    const startedAt = performance.now();
    const repeating = setInterval(lines.repeatUnanswered, scanMs);
    onFree =
      plan.perSecond === null
        ? keepFull(mayGo)
        : keepPace(plan.perSecond, startedAt, mayGo, () => running, plan.gentle);
    const over = () => (plan.toTheEnd ? lines.waiting() === 0 : exhausted);
    await until(plan.warmUpMs, over);
    const wholeRing = () => over() || lines.counts().answered >= store.lines * store.perLine;
    await until((plan.ringMs ?? 0) - plan.warmUpMs, wholeRing);

    lines.latencies.reset();
    const answeredBefore = lines.counts().answered;
    const cpuBefore = process.cpuUsage();
    const from = performance.now();
    options.onMeasuring();
    await until(plan.toTheEnd ? Number.POSITIVE_INFINITY : plan.measureMs, over);
    const measuredMs = performance.now() - from;
    const cpu = process.cpuUsage(cpuBefore);
    const answered = lines.counts().answered - answeredBefore;
    const ms = (quantile: number) => lines.latencies.quantile(quantile) / 1000;
    const latencyMs = { p50: ms(0.5), p99: ms(0.99), p999: ms(0.999), max: ms(1) };
    options.onMeasured();

    running = false;
    await until(timeoutMs * (attempts + 1), () => lines.waiting() === 0);
    clearInterval(repeating);
    return {
      seconds: measuredMs / 1000,
      answered,
      perSecond: answered / (measuredMs / 1000),
      latencyMs,
      generatorCores: (cpu.user + cpu.system) / 1000 / measuredMs,
      total: { ...lines.counts(), seconds: (lines.lastReplyAt() - startedAt) / 1000 },
      exhausted,
    };
  }

  /** Every line sends its next request as soon as its last one is answered. */
  function keepFull(mayGo: (line: number) => boolean): (line: number) => void {
    const next = (line: number) => {
      if (!mayGo(line)) return;
      const now = performance.now();
      lines.launch(line, now, now);
    };
    for (let line = 0; line < store.lines; line++) next(line);
    return next;
  }

  /** Latency counts from when a request was due, not from when it could be sent: a stall of the server is not hidden. */
  function keepPace(
    perSecond: number,
    startedAt: number,
    mayGo: (line: number) => boolean,
    running: () => boolean,
    gentle = false,
  ): (line: number) => void {
    const idle = createQueue(store.lines);
    let launched = 0;
    const turn = () => {
      if (!running()) return;
      const now = performance.now();
      const due = Math.floor(((now - startedAt) / 1000) * perSecond);
      for (let n = 0; n < mostAtOnce && launched < due; n++) {
        const line = idle.take();
        if (line === undefined) break;
        if (mayGo(line)) lines.launch(line, startedAt + (launched++ * 1000) / perSecond, now);
      }
      if (gentle) setTimeout(turn, 1);
      else setImmediate(turn);
    };
    turn();
    return idle.add;
  }

  return { run, close: sockets.close };
}

/** All lines in turn, so that none is ahead of the others. */
function createQueue(capacity: number) {
  const places = Int32Array.from({ length: capacity }, (_, line) => line);
  let taken = 0;
  let added = capacity;
  return {
    take: () => (taken < added ? places[taken++ % capacity] : undefined),
    add: (line: number) => {
      places[added++ % capacity] = line;
    },
  };
}

/** Until the time is over or `done` says so, asked every few milliseconds. */
function until(ms: number, done: () => boolean): Promise<void> {
  const end = performance.now() + ms;
  return new Promise((resolve) => {
    const look = () => {
      const left = end - performance.now();
      if (left <= 0 || done()) resolve();
      else setTimeout(look, Math.min(left, 5));
    };
    look();
  });
}
