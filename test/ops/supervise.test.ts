// How the supervisor restarts what dies, and how it shows what a process logs.
import t from 'tap';
import { humanLine } from '#ops/up/log-line.ts';
import { type Supervised, supervise } from '#ops/up/supervise.ts';
import { until } from '#test/support/wait.ts';

/** Something that dies when told to, and fails to start when told to. */
function mortal() {
  let die: (reason: string) => void = () => {};
  let ended = Promise.resolve('');
  const state = { starts: 0, stops: 0, failures: 0 };
  const supervised: Supervised = {
    name: 'thing',
    async start() {
      state.starts++;
      if (state.failures-- > 0) throw new Error('no room');
      ended = new Promise((resolve) => {
        die = resolve;
      });
    },
    async stop() {
      state.stops++;
      die('stopped');
    },
    ended: () => ended,
    abandon: () => die('abandoned'),
  };
  return { supervised, state, die: (reason: string) => die(reason) };
}

const pauses = (said: readonly string[]) => said.flatMap((line) => /again in ([\d.]+) s/.exec(line)?.[1] ?? []);

t.test('pauses between restarts grow, have a limit, and start small again after a settled life', async (t) => {
  const { supervised, state, die } = mortal();
  const said: string[] = [];
  const options = { say: (line: string) => said.push(line), firstPauseMs: 10, longestPauseMs: 40, settledMs: 300 };
  const supervisor = supervise(supervised, options);
  await supervisor.start();
  state.failures = 4;
  die('killed by SIGKILL');
  await until(() => said.includes('thing runs again'), 'it runs again');
  t.match(said[0], 'thing ended unexpectedly: killed by SIGKILL');
  t.match(said[1], 'thing ended unexpectedly: no room');
  t.same(pauses(said), ['0.01', '0.02', '0.04', '0.04', '0.04']);
  const livesSince = performance.now();
  await until(() => performance.now() - livesSince > 320, 'it has lived a while');
  die('exit code 1');
  await until(() => pauses(said).length === 6, 'the next death is told');
  t.equal(pauses(said).at(-1), '0.01');
  await supervisor.stop();
});

t.test('nothing is started any more once it is being stopped', async (t) => {
  const { supervised, state, die } = mortal();
  const said: string[] = [];
  const supervisor = supervise(supervised, { say: (line) => said.push(line), firstPauseMs: 60_000 });
  await supervisor.start();
  die('exit code 1');
  await until(() => said.length === 1, 'the death is told');
  await supervisor.stop();
  t.equal(state.starts, 1);
});

t.test('a first start that fails is the failure of the start', async (t) => {
  const { supervised, state } = mortal();
  state.failures = 1;
  await t.rejects(supervise(supervised, { say: () => {} }).start(), { message: 'no room' });
});

t.test('a log line becomes a sentence for people, anything else stays as it is', async (t) => {
  const line = {
    level: 'info',
    time: '2026-03-01T10:20:30.123Z',
    process: 'aaa-server',
    pid: 7,
    port: 1812,
    msg: 'listening',
  };
  t.equal(humanLine(JSON.stringify(line)), '10:20:30 aaa-server: listening port=1812');
  t.match(humanLine(JSON.stringify({ ...line, level: 'warn' })), /aaa-server: warn: listening port=1812/);
  const fatal = { ...line, level: 'fatal', err: { message: 'broke', stack: 'Error: broke\n    at here' } };
  t.match(humanLine(JSON.stringify(fatal)), /fatal: listening port=1812 \nError: broke\n {4}at here/);
  t.match(humanLine(JSON.stringify({ ...fatal, level: 'error' })), /port=1812 \(broke\)/);
  for (const other of ['plain words', '{broken', '{"no":"level"}', '']) t.equal(humanLine(other), other);
});
