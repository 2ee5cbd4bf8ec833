// `npm start`: settings, embedded stores where no URL is given, migrations, the processes, their supervision.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { InvalidSettings, messageOf } from '#ops/runtime/errors.ts';
import { checkedSettings } from './up/check.ts';
import { processes } from './up/environment.ts';
import { humanLine } from './up/log-line.ts';
import { repository } from './up/node-process.ts';
import { createStack } from './up/stack.ts';

const terminal = process.stdout.isTTY === true;
const say = (line: string) => console.log(line);
const logged = (line: string) => console.log(terminal ? humanLine(line) : line);

const present = processes.filter(({ script }) => existsSync(path.join(repository, script)));

let settings: Awaited<ReturnType<typeof checkedSettings>>;
try {
  settings = await checkedSettings(process.env, present);
} catch (error) {
  if (!(error instanceof InvalidSettings)) throw error;
  console.error(error.message);
  process.exit(1);
}

const stack = createStack({ settings, given: process.env, processes: present, say, logged });
let askedAt: number | undefined;

function onSignal(): void {
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
}
process.on('SIGINT', onSignal);
process.on('SIGTERM', onSignal);
process.on('SIGHUP', onSignal);
// Whoever read our output is gone, as a closed terminal is.
process.stdout.on('error', () => askedAt ?? onSignal());

try {
  await stack.start();
} catch (error) {
  if (askedAt === undefined) {
    askedAt = performance.now();
    console.error(messageOf(error));
    await stack.stop();
    process.exit(1);
  }
}
