// What the doctor says of usage history.
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { checkHistory } from '#ops/doctor/history.ts';
import { folderForTest } from '#test/aaa-server/outbox/harness.ts';

t.test('the doctor sees what waits, what was refused, and a rebuild that was broken off', async (t) => {
  const data = folderForTest(t);
  t.match(checkHistory(data), [{ state: 'ok', text: '0 bytes wait on disk for ClickHouse' }]);

  const rejected = path.join(data, 'outbox', 'rejected');
  mkdirSync(rejected, { recursive: true });
  const batch = path.join(data, 'outbox', '000000000001.batch');
  writeFileSync(batch, 'twelve bytes');
  writeFileSync(path.join(data, 'outbox', 'lock.db'), 'no batch');
  t.match(checkHistory(data), [{ state: 'ok', text: '12 bytes wait on disk for ClickHouse' }]);
  utimesSync(batch, 0, 0);
  t.match(checkHistory(data), [{ state: 'warn', mend: /CLICKHOUSE_URL/ }]);

  writeFileSync(path.join(rejected, '000000000002.batch'), '');
  mkdirSync(path.join(data, 'ledger-rebuild'));
  writeFileSync(path.join(data, 'ledger-rebuild', 'state.json'), '{}');
  t.match(checkHistory(data), [
    { subject: 'ledger', state: 'bad', mend: /ledger:rebuild/ },
    { subject: 'usage history', state: 'bad', text: /^1 batches/ },
    { state: 'warn' },
  ]);
});
