// The lines of a load: each has one request outstanding at most. Matches replies, repeats what stays unanswered, counts everything.
import type { Secret } from '#aaa-server/wire/md5.ts';
import type { GivenAddresses } from './given-addresses.ts';
import { createHistogram, type Histogram } from './histogram.ts';
import type { PacketStore } from './packet-store.ts';
import type { RunTotals } from './protocol.ts';
import { isAgreement, isGenuine } from './reply-check.ts';

export type LinesOptions = {
  readonly sockets: number;
  readonly secret: Secret;
  readonly store: PacketStore;
  /** false: replies are matched by identifier only. */
  readonly verify: boolean;
  /** One in so many replies has its authenticators checked. */
  readonly verifyEach: number;
  readonly timeoutMs: number;
  /** Times a request is sent before it counts as lost. */
  readonly attempts: number;
  /** Logins that are to get an address each. */
  readonly addresses?: GivenAddresses | undefined;
  send(socket: number, data: Buffer, start: number, end: number): void;
  /** A line has nothing outstanding any more. */
  onFree(line: number): void;
};

export type Counts = { -readonly [name in Exclude<keyof RunTotals, 'seconds'>]: number };

export type Lines = {
  readonly latencies: Histogram;
  counts(): Counts;
  reset(): void;
  /** Requests outstanding. */
  waiting(): number;
  lastReplyAt(): number;
  /** Whether the line has another request; logins come again in a ring, records of accounting never do. */
  hasNext(line: number): boolean;
  /** `dueMs`: from when its latency counts. */
  launch(line: number, dueMs: number, nowMs: number): void;
  onReply(socket: number, reply: Buffer): void;
  repeatUnanswered(): void;
};

const noLine = -1;

export function createLines(options: LinesOptions): Lines {
  const { sockets, secret, store, verifyEach, timeoutMs, attempts } = options;
  const { data, starts, lines, perLine } = store;
  const lineOf = new Int32Array(sockets * 256).fill(noLine);
  /** The packet that a line sends now or next. */
  const packetOf = Float64Array.from({ length: lines }, (_, line) => line * perLine);
  const outstanding = new Uint8Array(lines);
  const sentAt = new Float64Array(lines);
  const dueAt = new Float64Array(lines);
  const tries = new Uint8Array(lines);
  /** A line that repeated something may get an old reply: from then on all of its replies are checked. */
  const doubtful = new Uint8Array(lines);
  const latencies = createHistogram();
  let counts = noCounts();
  let waiting = 0;
  let lastReplyAt = 0;

  const packetAt = (line: number) => starts[packetOf[line] ?? 0] ?? 0;
  const slotOf = (line: number) => (line % sockets) * 256 + (data[packetAt(line) + 1] ?? 0);

  function transmit(line: number, nowMs: number): void {
    const packet = packetOf[line] ?? 0;
    sentAt[line] = nowMs;
    tries[line] = (tries[line] ?? 0) + 1;
    counts.sent++;
    options.send(line % sockets, data, starts[packet] ?? 0, starts[packet + 1] ?? 0);
  }

  function settle(line: number): void {
    lineOf[slotOf(line)] = noLine;
    outstanding[line] = 0;
    waiting--;
    packetOf[line] = (packetOf[line] ?? 0) + 1;
    options.onFree(line);
  }

  return {
    latencies,
    counts: () => ({ ...counts }),
    reset: () => {
      counts = noCounts();
    },
    waiting: () => waiting,
    lastReplyAt: () => lastReplyAt,
    hasNext(line) {
      if ((packetOf[line] ?? 0) < (line + 1) * perLine) return true;
      if (store.once) return false;
      packetOf[line] = line * perLine;
      return true;
    },
    launch(line, dueMs, nowMs) {
      lineOf[slotOf(line)] = line;
      outstanding[line] = 1;
      dueAt[line] = dueMs;
      tries[line] = 0;
      waiting++;
      transmit(line, nowMs);
    },
    onReply(socket, reply) {
      const line = reply.length < 20 ? noLine : (lineOf[socket * 256 + (reply[1] ?? 0)] ?? noLine);
      if (line === noLine) {
        counts.stray++;
        return;
      }
      const at = packetAt(line);
      if (options.verify && (doubtful[line] === 1 || counts.answered % verifyEach === 0)) {
        if (!isGenuine(reply, data, at, secret)) {
          counts.bad++;
          return;
        }
        counts.verified++;
      }
      lastReplyAt = performance.now();
      latencies.record((lastReplyAt - (dueAt[line] ?? 0)) * 1000);
      counts.answered++;
      if (isAgreement(reply, data, at)) {
        const packet = packetOf[line] ?? 0;
        counts.upBytes += store.upBytes[packet] ?? 0;
        counts.downBytes += store.downBytes[packet] ?? 0;
        const address = options.addresses?.note(reply);
        if (address && address !== 'new') counts[address === 'none' ? 'withoutAddress' : 'doubledAddress']++;
      } else counts.refused++;
      settle(line);
    },
    repeatUnanswered() {
      const now = performance.now();
      for (let line = 0; line < lines; line++) {
        if (outstanding[line] === 0 || now - (sentAt[line] ?? 0) < timeoutMs) continue;
        doubtful[line] = 1;
        if ((tries[line] ?? 0) < attempts) {
          counts.retried++;
          transmit(line, now);
        } else {
          counts.lost++;
          settle(line);
        }
      }
    },
  };
}

function noCounts(): Counts {
  return {
    sent: 0,
    answered: 0,
    refused: 0,
    retried: 0,
    lost: 0,
    stray: 0,
    bad: 0,
    verified: 0,
    withoutAddress: 0,
    doubledAddress: 0,
    upBytes: 0,
    downBytes: 0,
  };
}
