// What a snapshot remembers of how far it was filled.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { metaKeys } from '#aaa-server/subscribers/meta.ts';
import { openSnapshot } from '#aaa-server/subscribers/snapshot.ts';

t.test('what another release has filled is copied anew', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lastmile-snapshot-'));
  const snapshot = openSnapshot(folder, 'one.mdb');
  t.teardown(async () => {
    await snapshot.close();
    rmSync(folder, { recursive: true });
  });
  const position = { identity: { systemId: '1', timeline: 1 }, snapshot: '10:20:' } as never;
  t.equal(snapshot.position(), undefined, 'nothing was filled yet');
  await snapshot.mark({ position });
  t.match(snapshot.position(), position);
  await snapshot.environment.put(metaKeys.position, Buffer.from(JSON.stringify(position)));
  t.equal(snapshot.position(), undefined);
});
