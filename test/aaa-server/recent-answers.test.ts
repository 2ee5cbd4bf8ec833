// What a worker answered lately is known to the one that goes on with its sockets.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { keepAnswers, keptAnswers, packAnswers, unpackAnswers } from '#aaa-server/radius/recent-answers.ts';
import { createDriven, pap } from './support/driven.ts';

t.test('a request repeated after the change gets the same answer, and nothing is decided twice', async (t) => {
  const before = createDriven();
  const request = pap();
  const [answer] = before.receive(request);
  t.ok(answer);
  const after = createDriven();
  after.nowMs = 77;
  after.handler.recall(before.handler.recentAnswers());
  t.strictSame(after.receive(request), [answer], 'octet by octet');
  t.equal(after.counted('duplicates', 'resent'), 1);
  t.equal(after.counted('replies', 'access_accept'), 0);
  after.nowMs += 11_000;
  t.notSame(after.receive(request), [answer], 'and is a new one when the time for repetitions is over');
});

t.test('what is packed is unpacked; a torn tail and connections of RadSec are left out', async (t) => {
  const one = (port: number, reply: string, socket = 1) => ({
    peer: { address: '2001:db8::7', port },
    socket,
    identifier: port % 256,
    authenticator: Buffer.alloc(16, port),
    ageMs: 12.6,
    reply: Buffer.from(reply),
  });
  const packed = packAnswers([one(1, 'first'), one(2, 'over TLS', 255), one(65_535, '')]);
  const expected = [
    { ...one(1, 'first'), ageMs: 13 },
    { ...one(65_535, ''), ageMs: 13 },
  ];
  t.strictSame([...unpackAnswers(packed)], expected);
  t.strictSame([...unpackAnswers(packed.subarray(0, -1))], expected.slice(0, 1));
});

t.test('kept for ten seconds, and for all workers when there are more or fewer', async (t) => {
  const root = mkdtempSync(path.join(tmpdir(), 'lastmile-answers-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const folder = (worker: number) => path.join(root, `node-${worker}`);
  for (const worker of [0, 1, 2]) mkdirSync(folder(worker));
  const answered = (port: number) => [
    {
      ...{ peer: { address: '127.0.0.1', port }, socket: 0, identifier: 1, ageMs: 100 },
      ...{ authenticator: Buffer.alloc(16), reply: Buffer.from('reply') },
    },
  ];
  for (const worker of [0, 1]) await keepAnswers(folder(worker), 2, packAnswers(answered(worker + 1)), 50_000);
  const unreadable: unknown[] = [];
  const found = async (worker: number, workers: number, nowMs: number) =>
    (await keptAnswers(folder(worker), workers, nowMs, (error) => unreadable.push(error))).flatMap((bytes) =>
      [...unpackAnswers(bytes)].map(({ peer, ageMs }) => [peer.port, ageMs]),
    );
  t.strictSame(await found(1, 2, 51_000), [[2, 1100]], 'as old as it is now');
  t.strictSame(await found(2, 3, 51_000), [
    [1, 1100],
    [2, 1100],
  ]);
  t.strictSame(await found(0, 1, 51_000), [
    [1, 1100],
    [2, 1100],
  ]);
  t.strictSame(await found(1, 2, 60_001), [], 'too old');
  t.strictSame(await found(1, 2, 49_000), [], 'of the future: the clock was set');
  writeFileSync(path.join(folder(1), 'recent-answers'), 'torn');
  t.strictSame(await found(2, 3, 51_000), [[1, 1100]]);
  t.strictSame(unreadable, []);
  rmSync(path.join(folder(1), 'recent-answers'));
  mkdirSync(path.join(folder(1), 'recent-answers'));
  t.strictSame(await found(2, 3, 51_000), [[1, 1100]], 'a file that cannot be read is as good as none');
  t.match(unreadable, [{ code: 'EISDIR' }], 'and told');
});
