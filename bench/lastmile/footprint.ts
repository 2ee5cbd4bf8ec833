// What aaa-server takes with every subscriber online: its memory, and how long it does not answer when it is started anew.
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { createLedger } from '#policy/ledger/ledger.ts';
import { until } from '#test/support/wait.ts';
import { accessPackets } from '../load/access-packets.ts';
import { makePackets } from '../load/packet-store.ts';
import type { LastmileTarget } from './lastmile.ts';
import { bringOnline } from './online.ts';

export type Footprint = {
  readonly server: string;
  readonly subscribers: number;
  /** Sessions that the ledger has open. */
  readonly sessions: number;
  /** Anonymous memory of aaa-server: heaps and buffers, without what it maps of files. */
  readonly rssAnonBytes: number;
  /** From the start of its process, a snapshot of the subscribers on its disk, to its first Access-Accept. */
  readonly startMs: number;
};

const secret = 'testing123';
const password = 'pass123';
const processName = 'aaa-server/main.ts';
/** USER_HZ, as in machine/processes.ts. */
const msPerTick = 10;

export async function footprintOf(target: LastmileTarget, subscribers: number): Promise<Footprint> {
  await bringOnline(target, subscribers);
  const sessions = await openSessions(target);
  if (sessions < subscribers)
    throw new Error(`the ledger has ${sessions} sessions open, ${subscribers} were begun\n${target.output()}`);
  const before = target.stack.pidOf(processName);
  const rssAnonBytes = anonymousBytes(before);
  process.kill(before, 'SIGTERM');
  const startMs = await firstAccept(target, before);
  return { server: target.name, subscribers, sessions, rssAnonBytes, startMs };
}

async function openSessions({ stores, accounts }: LastmileTarget): Promise<number> {
  const redis = new Redis(stores.redisUrl);
  try {
    return await createLedger(redis).countSessions(accounts.tenantId);
  } finally {
    redis.disconnect();
  }
}

function anonymousBytes(pid: number): number {
  const [, kilobytes = ''] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** Asks every few milliseconds, each time for another subscriber, until the process that followed `before` accepts one. */
async function firstAccept({ authPort, stack }: LastmileTarget, before: number): Promise<number> {
  const requests = makePackets(
    { sockets: 1, lines: 256, perLine: 16, once: false },
    accessPackets({ method: 'pap', secret, subscribers: 4096, password, perLine: 16 }),
  );
  await until(
    () => isGone(before),
    () => `aaa-server stops; the stack printed:\n${stack.output()}`,
    60_000,
  );
  const socket = createSocket('udp4');
  let acceptedAtMs: number | null = null;
  socket.on('message', (reply) => {
    if (reply[0] === 2) acceptedAtMs ??= sinceBootMs();
  });
  // Nobody listens yet: the kernel says so.
  socket.on('error', () => undefined);
  let next = 0;
  try {
    await until(
      () => {
        const [from, to] = [requests.starts[next], requests.starts[next + 1]];
        next++;
        if (from !== undefined && to !== undefined)
          socket.send(requests.data.subarray(from, to), authPort, '127.0.0.1');
        return acceptedAtMs !== null;
      },
      () => `aaa-server accepts a login; the stack printed:\n${stack.output()}`,
      60_000,
    );
  } finally {
    socket.close();
  }
  return (acceptedAtMs ?? Number.NaN) - startedAtMs(stack.pidOf(processName));
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

function sinceBootMs(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
}

/** Field 22 of proc(5). */
function startedAtMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[19]) * msPerTick;
}
