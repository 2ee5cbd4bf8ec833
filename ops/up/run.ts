// One run of `npm start` from the first line to the exit code: wrong settings, signals, failures.
import { messageOf } from '#ops/runtime/errors.ts';
import { checkedSettings } from './check.ts';
import type { ProcessDefinition, ProcessName } from './environment.ts';
import { humanLine } from './log-line.ts';
import type { Settings } from './settings.ts';
import { createStack } from './stack.ts';

export async function runUp(processes: readonly (ProcessDefinition & { name: ProcessName })[]): Promise<void> {
  const say = (line: string) => console.log(line);
  const logged = (line: string) => console.log(process.stdout.isTTY ? humanLine(line) : line);
  const settings = await settingsOrExit(processes);
  const stack = createStack({ settings, given: process.env, processes, say, logged });
  let askedAt: number | undefined;

  const onSignal = () => {
    if (askedAt !== undefined) {
      // npm passes on the signal that the terminal has sent us as well: one Ctrl-C may arrive twice.
      if (performance.now() - askedAt < 300) return;
      say('stopping at once');
      stack.abandon();
      process.exit(130);
    }
    askedAt = performance.now();
    say('stopping (Ctrl-C again stops at once)');
    void stack.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(messageOf(error));
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  // Whoever read our output is gone, as a closed terminal is.
  process.stdout.on('error', () => askedAt ?? onSignal());
  // The servers do not keep this process alive; watching over them does.
  setInterval(() => {}, 3_600_000);

  try {
    await stack.start();
  } catch (error) {
    if (askedAt !== undefined) return;
    askedAt = performance.now();
    console.error(messageOf(error));
    await stack.stop();
    process.exit(1);
  }
}

async function settingsOrExit(processes: readonly (ProcessDefinition & { name: ProcessName })[]): Promise<Settings> {
  try {
    return await checkedSettings(process.env, processes);
  } catch (error) {
    console.error(messageOf(error));
    process.exit(1);
  }
}
