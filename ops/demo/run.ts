// One run of `npm run demo` from the command line to the exit code: what is printed where, signals, the way out.
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#ops/runtime/errors.ts';
import { createProgress } from '#ops/seed/progress.ts';
import type { Arguments } from './arguments.ts';
import { type Prepared, prepare } from './prepare.ts';
import { createShow, type Show } from './screen/show.ts';
import { timeText } from './screen/units.ts';
import { createSimulation, type Simulation } from './simulation.ts';
import { createOwnStack } from './stack/own.ts';
import type { Summary } from './summarize.ts';
import { summaryJson, summaryLines } from './summary-text.ts';
import { signOut } from './tenant/tenant.ts';

/** Gives the exit code: 0 when every byte was accounted for. */
export async function runDemo(asked: Arguments): Promise<number> {
  const { durationS, json } = asked;
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  const say = json ? (line: string) => void process.stderr.write(`${line}\n`) : print;
  const live = !json && process.stdout.isTTY === true;
  const troubles: string[] = [];
  /** Takes what a supervisor says while the screen is there. */
  let aside: ((line: string) => void) | undefined;
  const own = createOwnStack({
    environment: process.env,
    say: (line) => (aside ?? say)(line),
    trouble: (text) => troubles.push(text),
  });
  const ending = new AbortController();
  let show: Show | undefined;
  let simulation: Simulation | undefined;
  let prepared: Prepared | undefined;

  const release = onSignals({
    first() {
      ending.abort();
      if (!simulation) {
        say('stopping (Ctrl-C again stops at once)');
        void own.stop().catch((error: unknown) => say(messageOf(error)));
      }
    },
    second() {
      show?.close();
      own.abandon();
      process.exit(130);
    },
  });

  try {
    const progress = json ? { show: () => undefined, end: () => undefined } : createProgress('subscribers ready');
    prepared = await prepare({ environment: process.env, subscribers: asked.subscribers, own, progress, say });
    ending.signal.throwIfAborted();
    simulation = await createSimulation({
      ...prepared,
      durationS,
      seed: Date.now(),
      troubles: () => troubles,
      ...(live ? {} : { listen: ({ atMs, text }) => say(`  ${timeText(atMs)}  ${text}`) }),
    });
    say('the routers introduce themselves to flow-collector, the access servers boot');
    await simulation.start();
    show = createShow({ look: simulation.look, live, say });
    show.start();
    aside = simulation.note;
    await untilOver(simulation, durationS, ending.signal);
    if (asked.picture !== null) writeFileSync(asked.picture, show.picture());
    const summary = await simulation.conclude();
    show.close();
    aside = undefined;
    if (json) print(summaryJson(summary));
    else for (const line of summaryLines(summary)) print(line);
    return verdict(summary);
  } catch (error) {
    show?.close();
    if (ending.signal.aborted && !simulation) return 130;
    process.stderr.write(`demo: ${messageOf(error)}\n`);
    return 1;
  } finally {
    show?.close();
    aside = undefined;
    await simulation?.stop();
    if (prepared) await signOut(prepared.lastmile, prepared.tenant.token).catch(() => undefined);
    await own.stop();
    release();
  }
}

function verdict({ allBytesAccountedFor }: Summary): number {
  return allBytesAccountedFor ? 0 : 1;
}

async function untilOver({ look }: Simulation, durationS: number | null, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (durationS === null || look.view().elapsedS < durationS)) await delay(100);
}

/** npm passes on the signal that the terminal has sent us as well: one Ctrl-C may arrive twice. Gives what takes the listeners away. */
function onSignals({ first, second }: { first(): void; second(): void }): () => void {
  let askedAtMs: number | undefined;
  const listen = () => {
    if (askedAtMs === undefined) {
      askedAtMs = performance.now();
      first();
    } else if (performance.now() - askedAtMs > 300) second();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, listen);
  // Whoever read our output is gone, as a closed terminal is.
  process.stdout.on('error', listen);
  return () => {
    for (const signal of signals) process.off(signal, listen);
  };
}
