// Who goes first when processor time is short, as Linux says it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import t from 'tap';
import { preferSession, setThreadPriority } from '#ops/runtime/priority.ts';

const [major = 0, minor = 0] = os.release().split('.').map(Number);
const hasSlices = os.platform() === 'linux' && (major > 6 || (major === 6 && minor >= 12));
const skip = hasSlices ? false : 'before Linux 6.12 a thread cannot ask for short turns';

t.test('the thread that answers goes first where it may, and asks for short turns', { skip }, async (t) => {
  const before = os.getPriority(0);
  const allowed = await setThreadPriority('answers');
  const told = readFileSync('/proc/thread-self/sched', 'utf8');
  t.match(told, /^se\.slice +: +100000$/m);
  t.equal(os.getPriority(0), allowed ? -5 : before);
});

const autogroup = '/proc/self/autogroup';
const groups = existsSync(autogroup) ? false : 'this kernel does not group by session';

t.test('the session of a process that answers goes before others where it may', { skip: groups }, async (t) => {
  const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
  t.teardown(() => child.kill());
  await once(child, 'spawn');
  const allowed = preferSession(child.pid);
  t.match(readFileSync(`/proc/${child.pid}/autogroup`, 'utf8'), allowed ? / nice -5$/m : / nice 0$/m);
  t.notOk(preferSession(2 ** 22 + 1), 'where there is no such process nothing is set');
});
