// One storm against one server: its capacity without hurry first, then everybody at once.
import path from 'node:path';
import { spawnPinned } from '../machine/pinned-child.ts';
import { allowedCores, place, release, twoCores } from '../machine/placement.ts';
import { cpuSecondsOf, descendantsOf } from '../machine/processes.ts';
import { udpState } from '../machine/udp-drops.ts';
import { radiusCases } from '../radius/cases.ts';
import { measure } from '../radius/measure.ts';
import type { Target, Unanswered } from '../radius/target.ts';
import { twoCallsMs } from './clients.ts';
import type { FromClients, StormProgress, StormResult, ToClients } from './protocol.ts';

export type StormMeasurement = StormResult & {
  readonly server: string;
  /** Logins per second in a closed loop, of subscribers with quick passwords. */
  readonly capacityPerSecond: number;
  /** Of the subscribers with quick passwords until 90 % of them were online, as a share of the capacity; 0 when they never were. */
  readonly goodputShare: number;
  /** Answers that came too late, as a share of all answers to logins. */
  readonly wastedShare: number;
  readonly serverCores: number;
  /** What the server left unanswered on purpose; null where it does not say. */
  readonly unanswered: Unanswered | null;
  /** Datagrams that the kernel dropped in front of the server. */
  readonly dropped: { readonly logins: number; readonly starts: number };
};

export type StormOptions = {
  readonly subscribers: number;
  /** From this one on passwords are slow to check. */
  readonly slowFrom: number;
  readonly seconds: number;
  readonly quick: boolean;
  /** Nobody may stay offline. */
  readonly everybody: boolean;
  say(line: string): void;
};

const secret = 'testing123';
export const stormPassword = 'pass123';
/**
 * A server that does not have everybody online by then counts as not recovered, with everything else in its row. Five of the longest pauses
 * between two calls of a device; and three times what two cores need for the hashes of the 5000 among 50,000 who have a slow one.
 */
export const recoversWithinS = { whole: 300, quick: 60 } as const;
/** Of all answers to logins at most this share may come too late at Lastmile. */
const mostWasted = 0.1;

export async function measureStorm(target: Target, options: StormOptions): Promise<StormMeasurement> {
  const { subscribers, slowFrom, seconds, quick } = options;
  const mostSeconds = quick ? recoversWithinS.quick : recoversWithinS.whole;
  options.say('  measuring its capacity');
  const calm = await measure(
    target,
    { ...radiusCases().two, halfLoad: false },
    { runs: 1, seconds, subscribers: slowFrom },
  );
  const script = path.join(import.meta.dirname, 'clients-process.ts');
  const clients = spawnPinned<ToClients, FromClients>(script, allowedCores().join(','));
  try {
    clients.tell({
      type: 'prepare',
      preparation: {
        ...{ subscribers, slowFrom, secret, mostSeconds },
        password: stormPassword,
        dialInMs: quick ? 100 : 1000,
        run: `storm-${process.pid}-${Date.now()}`,
        authPort: target.authPort,
        acctPort: target.acctPort,
      },
    });
    await clients.answer('prepared');
    place(twoCores(), clients.pid);
    const servers = descendantsOf(process.pid, [clients.pid]);
    const droppedBefore = dropsOf(target);
    const unansweredBefore = await target.unanswered?.();
    const cpuBefore = cpuSecondsOf(servers);
    clients.tell({ type: 'storm' });
    const { result } = await clients.answer('over', (message) => {
      if (message.type === 'progress') options.say(progressLine(message.progress, subscribers));
    });
    const serverCores = (cpuSecondsOf(servers) - cpuBefore) / result.seconds;
    const dropped = dropsOf(target);
    const unanswered = await target.unanswered?.();
    const { ninetyPercentMs } = result.quick;
    return {
      ...result,
      server: target.name,
      capacityPerSecond: calm.perSecond,
      goodputShare: ninetyPercentMs ? (0.9 * slowFrom) / (ninetyPercentMs / 1000) / calm.perSecond : 0,
      wastedShare: result.logins.late / Math.max(1, result.logins.late + result.logins.answered),
      serverCores,
      unanswered:
        unanswered && unansweredBefore
          ? {
              overload: unanswered.overload - unansweredBefore.overload,
              hashBusy: unanswered.hashBusy - unansweredBefore.hashBusy,
              all: unanswered.all - unansweredBefore.all,
            }
          : null,
      dropped: { logins: dropped.logins - droppedBefore.logins, starts: dropped.starts - droppedBefore.starts },
    };
  } finally {
    await clients.stop();
    release();
  }
}

function progressLine({ seconds, online, reported, asking }: StormProgress, subscribers: number): string {
  const offline = subscribers - online;
  return `  ${seconds.toFixed(0)} s: ${online} online, ${reported} reported, ${offline} offline, of whom ${asking} wait for an answer`;
}

function dropsOf({ authPort, acctPort }: Target) {
  return { logins: udpState(authPort).dropped, starts: udpState(acctPort).dropped };
}

/**
 * Why these numbers are worth nothing, or not good enough. Everybody's password is right, so a refusal is an error; and a server that leaves nobody
 * online measures nothing. @param everybody nobody may stay offline, nor answers go to access servers that have given up
 */
export function problemsOf(
  measured: StormMeasurement,
  { everybody, quick }: Pick<StormOptions, 'everybody' | 'quick'>,
): string[] {
  const { online, reported, logins, starts, seconds } = measured;
  const missing = everybody ? measured.quick.subscribers + measured.slow.subscribers - reported : 0;
  return [
    ...(online === 0 ? ['nobody is online'] : []),
    ...(logins.refused > 0 ? [`${logins.refused} logins were refused`] : []),
    ...(logins.bad + starts.bad > 0 ? [`${logins.bad + starts.bad} replies had a wrong authenticator`] : []),
    ...(starts.refused > 0 ? [`${starts.refused} Starts were refused`] : []),
    ...(missing > 0 ? [`${missing} were offline or not reported after ${seconds.toFixed(0)} s`] : []),
    ...(everybody && !quick ? spiralOf(measured) : []),
  ];
}

/**
 * What shows a timeout spiral: answers go to access servers that have given up, who ask anew and are answered too late again. A server that loses
 * no time by it has nine in ten with quick passwords online by their second call.
 */
function spiralOf({ quick, wastedShare }: Pick<StormMeasurement, 'quick' | 'wastedShare'>): string[] {
  const { ninetyPercentMs } = quick;
  const online = ninetyPercentMs === null ? 'never' : `after ${(ninetyPercentMs / 1000).toFixed(1)} s`;
  const wasted = (wastedShare * 100).toFixed(1);
  return [
    ...(ninetyPercentMs === null || ninetyPercentMs > twoCallsMs
      ? [`90 % with quick passwords were online ${online}, two calls take ${twoCallsMs / 1000} s`]
      : []),
    ...(wastedShare > mostWasted ? [`${wasted} % of the answers to logins came too late`] : []),
  ];
}
