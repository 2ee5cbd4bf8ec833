// What the generator itself can reach: the case of the logins against an echo that only returns the packets.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { freePort } from '#ops/stores/embedded/ports.ts';
import type { Target } from './target.ts';

const script = path.join(import.meta.dirname, '../load/echo-process.ts');

export async function startEcho(): Promise<Target> {
  const port = await freePort();
  const child = spawn(process.execPath, [script, String(port)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', (exitCode) => reject(new Error(`the echo ended with ${exitCode}`)));
  });
  return {
    name: 'echo',
    echo: true,
    authPort: port,
    acctPort: port,
    durability: '',
    accounts: { tenantId: 1, subscriptionIds: [1], classKey: '00' },
    whenCounted: null,
    total: () => Promise.reject(new Error('an echo counts nothing')),
    output: () => '',
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}
