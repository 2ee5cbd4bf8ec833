// The socket over which a running `npm start` is asked for a restart: it ends with its owner, and who asked learns how it stands.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { askControl, controlPath, createControl } from '#ops/up/control-socket.ts';
import { runRestart } from '#ops/up/restart-command.ts';

function dataFolder(t: { teardown(handler: () => unknown): unknown }): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-control-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const request = { restart: 'aaa-server', settings: {}, repository: '/' };

t.test(
  'a connection over which nothing is asked keeps nobody from ending, one that waits for its answer gets it',
  async (t) => {
    const folder = dataFolder(t);
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const control = createControl(folder, async () => {
      asked.resolve();
      await answer.promise;
      return { ok: true, unreadMs: 5 };
    });
    await control.start();
    const idle = connect(controlPath(folder));
    await once(idle, 'connect');
    const outcome = askControl(folder, request, () => undefined);
    await asked.promise;
    const stopped = control.stop();
    await once(idle.resume(), 'close');
    answer.resolve();
    t.strictSame(await outcome, { ok: true, unreadMs: 5 });
    await stopped;
  },
);

t.test('when `npm start` ends during a restart, that is no answer that nobody was asked', async (t) => {
  const folder = dataFolder(t);
  const server = createServer((socket) => socket.once('data', () => socket.destroy()));
  server.listen(controlPath(folder));
  await once(server, 'listening');
  process.env.LASTMILE_DATA_DIR = folder;
  t.teardown(() => delete process.env.LASTMILE_DATA_DIR);
  t.capture(console, 'error');
  t.equal(await runRestart([], '/'), 3);
  await new Promise((resolve) => server.close(resolve));
  t.equal(await runRestart([], '/'), 2, 'nobody is there');
});
