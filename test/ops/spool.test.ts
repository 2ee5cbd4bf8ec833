// Batches on disk and their way into a store that fails in every way.
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { createLogger } from '#ops/runtime/log.ts';
import { type NewBatch, readBody, readReceipt, type StoredBatch } from '#ops/spool/batch-file.ts';
import { type BatchStore, createDrain } from '#ops/spool/drain.ts';
import { openSpool } from '#ops/spool/spool.ts';
import { createRowWriter } from '#ops/stores/row-binary.ts';
import { runs } from '#test/support/effort.ts';
import { until } from '#test/support/wait.ts';

type Test = { teardown(handler: () => unknown): unknown };

function folderOf(t: Test): string {
  const root = mkdtempSync(path.join(tmpdir(), 'lastmile-spool-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  return path.join(root, 'outbox');
}

const batchOf = (token: string, oldestMs = 1000): NewBatch => ({
  ...{ token, into: 'INSERT INTO t (a) FORMAT RowBinary', rows: 2, oldestMs },
  ...{ receipt: Buffer.from(`receipt of ${token}\n`), body: Buffer.from(`rows of ${token}`) },
});
const fails = (error: unknown) => {
  throw error;
};

t.test('a batch is on disk as it was given, also for the next process', async (t) => {
  const folder = folderOf(t);
  const first = await openSpool(folder, fails);
  await first.add(batchOf('a', 3000));
  await first.add(batchOf('b', 2000));
  await t.rejects(openSpool(folder, fails), { name: 'SpoolInUse' });
  first.close();

  const second = await openSpool(folder, fails);
  t.strictSame(
    second.batches().map(({ token, rows, into }) => ({ token, rows, into })),
    ['a', 'b'].map((token) => ({ token, rows: 2, into: batchOf(token).into })),
  );
  t.equal(second.oldestMs(), 2000);
  const [a, b] = second.batches();
  t.equal(String(await readBody(a!)), 'rows of a');
  t.equal(String(await readReceipt(b!)), 'receipt of b\n');
  t.equal(
    second.bytes(),
    [a!, b!].reduce((sum, { file }) => sum + readFileSync(file).length, 0),
  );
  await second.remove(a!);
  await second.remove(b!);
  t.equal(second.bytes(), 0);
  t.equal(second.oldestMs(), undefined);
  const later = await second.add(batchOf('c'));
  t.ok(later.file > b!.file, 'numbers go on');
  second.close();
});

t.test('drafts of a crash are gone, files that are no batch are put aside', async (t) => {
  const folder = folderOf(t);
  const first = await openSpool(folder, fails);
  await first.add(batchOf('whole'));
  const cut = await first.add(batchOf('cut'));
  first.close();
  truncateSync(cut.file, cut.receiptAt + 3);
  writeFileSync(path.join(folder, '000000000009.batch'), 'no batch at all');
  writeFileSync(path.join(folder, '000000000010.batch.new'), 'half a ba');

  const errors: unknown[] = [];
  const second = await openSpool(folder, (error) => errors.push(error));
  t.strictSame(
    second.batches().map(({ token }) => token),
    ['whole'],
  );
  t.equal(errors.length, 2);
  t.equal(second.rejected(), 2);
  t.strictSame(readdirSync(path.join(folder, 'rejected')), ['000000000002.batch', '000000000009.batch']);
  t.notOk(readdirSync(folder).some((name) => name.endsWith('.new')));
  const next = await second.add(batchOf('next'));
  t.match(next.file, /000000000010\.batch$/, 'numbers go on behind what was put aside');
  second.close();
});

t.test('a batch that cannot be written leaves nothing behind', async (t) => {
  const folder = folderOf(t);
  const spool = await openSpool(folder, fails);
  t.teardown(() => spool.close());
  rmSync(folder, { recursive: true });
  await t.rejects(spool.add(batchOf('a')), { code: 'ENOENT' });
  t.equal(spool.bytes(), 0);
  t.strictSame(spool.batches(), []);
});

/** away: not reached. ran: the rows arrived, the answer did not. refused: always, whatever the others do. */
type Fault = 'away' | 'ran' | 'passing';

class StoreError extends Error {
  readonly kind: string;
  constructor(kind: string) {
    super(kind);
    this.kind = kind;
  }
}

function storeOf(faults: (Fault | undefined)[], refused: ReadonlySet<string>) {
  const tries: { token: string; body: string }[] = [];
  const kept = new Map<string, string>();
  const store: BatchStore = {
    async insert(batch) {
      const body = String(await readBody(batch));
      tries.push({ token: batch.token, body });
      const fault = faults.shift();
      if (fault === 'away' || fault === 'passing') throw new StoreError(fault);
      if (refused.has(batch.token)) throw new StoreError('refused');
      kept.set(batch.token, body);
      if (fault === 'ran') throw new StoreError('away');
    },
    takesMore: async () => faults[0] !== 'away',
    isPassing: (error) => error instanceof StoreError && error.kind !== 'refused',
    label: (error) => (error instanceof StoreError ? error.kind : 'other'),
  };
  return { store, tries, kept };
}

t.test(
  'every batch arrives, oldest first, each try the same; what is refused is put aside and holds up nobody',
  async (t) => {
    const root = folderOf(t);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom<Fault | undefined>(undefined, undefined, 'away', 'ran', 'passing'), { maxLength: 5 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
        async (faults, refusals) => {
          const folder = `${root}-${run++}`;
          const tokens = refusals.map((_, index) => `t${index}`);
          const refused = new Set(tokens.filter((_, index) => refusals[index]));
          const { store, tries, kept } = storeOf([...faults], refused);
          const spool = await openSpool(folder, fails);
          const inserted: string[] = [];
          const aside: StoredBatch[] = [];
          const failures: string[] = [];
          const drain = createDrain({
            ...{ spool, store, log: createLogger('test', 'silent') },
            onInserted: ({ token }) => inserted.push(token),
            onFailure: (label) => failures.push(label),
            onRefused: (batch) => aside.push(batch),
          });
          drain.start();
          for (const token of tokens) drain.offer(await spool.add(batchOf(token)));
          await until(() => spool.batches().length === 0, 'nothing waits', 60_000);
          await drain.stop();
          spool.close();
          const wanted = tokens.filter((token) => !refused.has(token));
          t.strictSame(inserted, wanted, 'oldest first');
          t.strictSame([...kept.keys()], wanted);
          t.strictSame(
            tries.filter(({ token, body }) => body !== `rows of ${token}`),
            [],
            'each try is the same',
          );
          t.strictSame(
            aside.map(({ token }) => token),
            [...refused],
          );
          t.equal(spool.rejected(), refused.size);
          t.equal(failures.filter((label) => label === 'refused').length >= refused.size * 3, true);
        },
      ),
      { numRuns: runs(6, 500) },
    );
  },
);

t.test('a batch that waits for its owner is not drained', async (t) => {
  const spool = await openSpool(folderOf(t), fails);
  const { store, kept } = storeOf([], new Set());
  const drain = createDrain({
    ...{ spool, store, log: createLogger('test', 'silent') },
    ...{ onInserted: () => {}, onFailure: () => {}, onRefused: () => {} },
  });
  drain.start();
  await spool.add(batchOf('unsettled'));
  drain.offer(await spool.add(batchOf('settled')));
  await until(() => kept.size > 0, 'the settled one has arrived');
  await drain.stop();
  spool.close();
  t.strictSame([...kept.keys()], ['settled']);
  t.strictSame(
    spool.batches().map(({ token }) => token),
    ['unsettled'],
  );
});

t.test('rows are written as RowBinary', async (t) => {
  const writer = createRowWriter();
  writer.uint8(7);
  writer.uint32(2 ** 32 - 1);
  writer.uint64(Number.MAX_SAFE_INTEGER);
  writer.text('ü');
  writer.octets(Buffer.of(1, 2, 3));
  t.equal(writer.length(), 1 + 4 + 8 + 3 + 4);
  t.equal(writer.take().toString('hex'), '07ffffffffffffffffffff1f0002c3bc03010203');
  t.equal(writer.length(), 0);
  const long = 'x'.repeat(200_000);
  writer.text(long);
  const taken = writer.take();
  t.equal(taken.subarray(0, 3).toString('hex'), 'c09a0c', 'the length is LEB128');
  t.equal(taken.subarray(3).toString(), long);
  for (const wrong of [-1, 1.5, 2 ** 53]) t.throws(() => writer.uint64(wrong), RangeError);
});
