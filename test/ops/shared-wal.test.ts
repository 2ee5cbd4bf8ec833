// A WAL that is read in another thread than the one that appends: the reader sees all that is on disk, and no more.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { createWalReader } from '#ops/wal/reader.ts';
import { guestWal, shareWal, type WalNews, type WalOrder } from '#ops/wal/shared-wal.ts';
import { openWal } from '#ops/wal/wal.ts';
import { until } from '#test/support/wait.ts';

/** A log whose news are kept back. */
async function kept(t: Test) {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-shared-wal-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const wal = await openWal({ folder: path.join(folder, 'a'), segmentBytes: 200, retentionMs: 0 });
  t.teardown(() => wal.close());
  const news: WalNews[] = [];
  return { wal, news, owner: shareWal(wal, (message) => news.push(structuredClone(message))) };
}

/** What is posted passes through a real port: it is copied, and arrives later. */
async function shared(t: Test, segmentBytes = 200) {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-shared-wal-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const wal = await openWal({ folder: path.join(folder, 'a'), segmentBytes, retentionMs: 0 });
  t.teardown(() => wal.close());
  const { port1, port2 } = new MessageChannel();
  t.teardown(() => port1.close());
  const news: WalNews['type'][] = [];
  const owner = shareWal(wal, (message) => port1.postMessage(message));
  const guest = guestWal(structuredClone(owner.state()), (order) => port2.postMessage(order));
  port1.on('message', (order: WalOrder) => owner.hear(order));
  port2.on('message', (message: WalNews) => {
    news.push(message.type);
    guest.hear(message);
  });
  return { wal, guest: guest.wal, news };
}

const payload = (n: number) => Buffer.from(`record ${n}`.padEnd(40, '.'));

t.test('everything that is on disk is read, over many segments', async (t) => {
  const { wal, guest } = await shared(t);
  const reader = createWalReader(guest);
  t.teardown(() => reader.close());
  const found: string[] = [];
  let cursor = 0;
  for (let n = 0; n < 50; n++) {
    await wal.append(payload(n));
    t.ok(guest.durable() <= wal.durable());
    const { records, next, damagedBytes } = await reader.read(cursor, 100);
    t.equal(damagedBytes, 0);
    found.push(...records.map((record) => String(record.payload)));
    cursor = next;
  }
  await until(() => guest.durable() === wal.durable(), 'the reader knows the last segment');
  while (cursor < guest.durable()) {
    const { records, next } = await reader.read(cursor, 100);
    found.push(...records.map((record) => String(record.payload)));
    cursor = next;
  }
  t.strictSame(
    found,
    Array.from({ length: 50 }, (_, n) => String(payload(n))),
  );
  t.ok(guest.segments().length > 10);
});

t.test('what was kept before the reading thread began is read, whatever it was not told', async (t) => {
  const { wal, owner } = await kept(t);
  for (let n = 0; n < 20; n++) await wal.append(payload(n));
  const { wal: guest } = guestWal(structuredClone(owner.state()), () => undefined);
  t.equal(guest.durable(), wal.durable());
  t.strictSame(guest.segments(), wal.segments());
});

t.test('nothing counts as readable before its segment is known, the first one included', async (t) => {
  const { wal, owner, news } = await kept(t);
  const { wal: guest, hear } = guestWal(structuredClone(owner.state()), () => undefined);
  await wal.append(payload(0));
  t.ok(wal.durable() > 0);
  t.equal(guest.durable(), 0);
  for (const message of news.splice(0)) hear(message);
  t.equal(guest.durable(), wal.durable());
  for (let n = 1; n < 10; n++) await wal.append(payload(n));
  t.equal(guest.durable(), wal.segments().at(-1)?.base, 'up to the segment that is not known yet');
});

t.test('a reader that waits is woken, and one that does not is left alone', async (t) => {
  const { wal, guest, news } = await shared(t, 1e6);
  await wal.append(payload(0));
  const woken = new Promise<void>((resolve) => {
    const stop = guest.onDurable(() => {
      stop();
      resolve();
    });
  });
  await wal.append(payload(1));
  await woken;
  for (let n = 2; n < 20; n++) await wal.append(payload(n));
  t.equal(news.filter((type) => type === 'wal_grew').length, 1);
  t.equal(guest.durable(), wal.durable());
});

t.test('what only the appending thread may do is done there', async (t) => {
  const { wal, guest } = await shared(t);
  for (let n = 0; n < 20; n++) await wal.append(payload(n));
  const end = wal.durable();
  t.equal(await guest.skipTo(end + 1000), end);
  t.ok(guest.durable() > end + 1000);
  await guest.append(payload(20));
  t.equal(guest.durable(), wal.durable());
  t.ok((await guest.prune(wal.durable())) > 0);
  t.equal(guest.segments().length, wal.segments().length);
  await t.rejects(guest.append(Buffer.alloc(70_000)), /does not fit a frame/);
});
