// A bench that is interrupted while it waits: everything that it started ends with it, also what does not want to.
import { spawn } from 'node:child_process';
import path from 'node:path';
import t from 'tap';
import { descendantsOf, startOf } from '#bench/machine/processes.ts';
import { until } from '#test/support/wait.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** Starts a server that ends when asked, one that takes SIGTERM for a wish, as PostgreSQL does, and waits for something that never comes. */
const bench = `
  import { spawn } from 'node:child_process';
  import { endTogether } from '#bench/machine/interrupted.ts';
  endTogether();
  spawn('sleep', ['600'], { stdio: 'ignore' });
  const slow = spawn('sh', ['-c', "trap '' TERM; echo ready; while :; do sleep 0.1; done"], { detached: true });
  slow.on('close', () => { throw new Error('a server is gone'); });
  slow.stdout.on('data', () => console.log('waiting'));
  setInterval(() => {}, 1000);
`;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(`${signal} ends a bench and all that it started, before anything of it can fail`, async (t) => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', bench], { cwd: root });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
    const ended = new Promise((resolve) => child.once('close', resolve));
    await until(
      () => printed.includes('waiting'),
      () => `it waits: ${printed}`,
      60_000,
    );
    const started = descendantsOf(child.pid ?? 0);
    t.ok(started.length >= 2, `${started.length} processes`);
    child.kill(signal);
    t.equal(await ended, 130);
    t.strictSame(
      started.filter((pid) => startOf(pid) !== undefined),
      [],
    );
    t.notMatch(printed, /a server is gone/);
  });
}
