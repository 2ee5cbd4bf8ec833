// What makes a restart fail: a check that the process before it had passed, or had not been heard of.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import t from 'tap';
import { failingBefore, failingChecks, provesReady } from '#ops/up/failing-checks.ts';

type Test = { teardown(handler: () => unknown): unknown };

async function processThatSays(t: Test, answer: (response: ServerResponse, asked: number) => void): Promise<string> {
  let asked = 0;
  const server = createServer((_, response) => answer(response, ++asked));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return `http://127.0.0.1:${port}/readyz`;
}

const say = (response: ServerResponse, status: number, body: unknown) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

t.setTimeout(120_000);

t.test('what fails already may go on failing, what did not may not', async (t) => {
  const url = await processThatSays(t, (response, asked) =>
    say(response, 503, { checks: asked === 1 ? { redis: 'away', feed: 'ok' } : { redis: 'away', feed: 'stale' } }),
  );
  const before = await failingBefore(url);
  t.strictSame([...before], [['redis', 'away']]);
  await t.rejects(provesReady(url, before, 0), { message: 'feed: stale' });
  await provesReady(url, new Map([...before, ['feed', 'stale']]), 0);
});

t.test('one that is not ready and does not say why fails', async (t) => {
  const url = await processThatSays(t, (response) => say(response, 500, { error: 'broken' }));
  t.strictSame([...((await failingChecks(url)) ?? [])], [['readiness', 'HTTP status 500']]);
  await t.rejects(provesReady(url, new Map(), 0), { message: 'readiness: HTTP status 500' });
});

t.test(
  'of one that does not answer in time nothing is known: it is asked again, and then its successor has to be all right',
  async (t) => {
    const silent = await processThatSays(t, (response, asked) => {
      if (asked > 2) say(response, 503, { checks: { redis: 'away' } });
    });
    const before = await failingBefore(silent);
    t.strictSame([...before], []);
    await t.rejects(provesReady(silent, before, 0), { message: 'redis: away' });
    const slow = await processThatSays(t, (response, asked) => {
      if (asked > 1) say(response, 503, { checks: { redis: 'away' } });
    });
    t.strictSame([...(await failingBefore(slow))], [['redis', 'away']]);
  },
);

t.test('one whose port is closed fails there', async (t) => {
  const failing = await failingChecks('http://127.0.0.1:9/readyz');
  t.match(failing?.get('admin port'), /./);
});
