// Staff who log in to devices on their way to the edge: by the feed from PostgreSQL, and out at once.
import { cpSync } from 'node:fs';
import t from 'tap';
import { openSnapshotReader } from '#aaa-server/subscribers/reader.ts';
import { databaseForTest } from '#test/support/stores.ts';
import { until } from '#test/support/wait.ts';
import { createHarness, temporaryFolder } from './harness.ts';
import { createIsp } from './isp.ts';

t.setTimeout(120_000);

t.test('device users are in the snapshot, follow changes, and leave it at once', async (t) => {
  const database = await databaseForTest(t);
  const isp = await createIsp(t, database.ownerUrl);
  const one = async (sql: string, values: unknown[]) => Number((await isp.db.query(sql, values)).rows[0].id);
  const add = (name: string, everywhere: boolean) =>
    one(
      `INSERT INTO device_user (tenant_id, user_name, password_scheme, password_cipher, access, everywhere) VALUES ($1, $2, 'argon2', '\\x0102', 'write', $3) RETURNING id`,
      [isp.tenantId, name, everywhere],
    );
  const [anna, bert] = [await add('anna', true), await add('bert', false)];
  await isp.db.query('INSERT INTO device_user_nas VALUES ($1, $2, $3)', [isp.tenantId, bert, isp.nasId]);
  const folder = temporaryFolder(t);
  const harness = createHarness(t, database.feedUrl, folder);
  await harness.ready();
  const { reader } = harness.subscribers;
  const usual = { tenantId: isp.tenantId, passwordCipher: Buffer.of(1, 2), scheme: 'argon2', access: 'write' } as const;
  t.strictSame(reader.deviceUserList(), [
    { ...usual, id: anna, userName: 'anna', enabled: true, validUntilMs: null, nasIds: null },
    { ...usual, id: bert, userName: 'bert', enabled: true, validUntilMs: null, nasIds: [isp.nasId] },
  ]);
  t.equal(reader.credential(isp.tenantId, '', 'anna'), undefined, 'no subscriber has come of it');
  t.equal(reader.credential(isp.tenantId, ':device', 'anna'), undefined);
  const before = reader.nasGeneration();
  await isp.db.query(`UPDATE device_user SET enabled = false, valid_until = '2030-01-01Z' WHERE id = $1`, [anna]);
  await until(() => reader.deviceUserList()[0]?.enabled === false, 'anna is shut out');
  t.equal(reader.deviceUserList()[0]?.validUntilMs, Date.UTC(2030, 0, 1));
  t.ok(reader.nasGeneration() > before, 'workers make their table of staff anew');
  await isp.db.query('DELETE FROM device_user_nas WHERE device_user_id = $1', [bert]);
  await until(() => reader.deviceUserList()[1]?.nasIds?.length === 0, 'bert may go nowhere');

  await t.test('also where the guard holds removals of subscribers back', async (t) => {
    const many = await isp.addSubscriptions(60);
    await until(() => reader.credential(isp.tenantId, '', 'user59') !== undefined, 'they are there', 15_000);
    await isp.deleteSubscriptions(many);
    await until(() => harness.subscribers.guard.list().length > 0, 'the guard holds them', 15_000);
    await isp.db.query('DELETE FROM device_user WHERE id = $1', [anna]);
    await until(() => reader.deviceUserList().length === 1, 'anna is gone');
    t.equal(reader.deviceUserList()[0]?.userName, 'bert');
  });

  await t.test('also where a full copy waits for a confirmation', async (t) => {
    await isp.addSubscriptions(80, 'many');
    await until(() => reader.credential(isp.tenantId, '', 'many79') !== undefined, 'they are there', 15_000);
    await harness.subscribers.stop();
    const other = await databaseForTest(t);
    const less = await createIsp(t, other.ownerUrl);
    t.equal(less.tenantId, isp.tenantId);
    await less.db.query(
      `INSERT INTO device_user (tenant_id, user_name, password_scheme, password_cipher, access) VALUES ($1, 'carl', 'argon2', '\\x0102', 'read')`,
      [less.tenantId],
    );
    const held = createHarness(t, other.feedUrl, temporaryFolder(t));
    cpSync(folder, held.path, { recursive: true });
    await held.ready();
    await until(() => held.subscribers.guard.list().some(({ kind }) => kind === 'reload'), 'the copy is held', 15_000);
    t.strictSame(
      held.subscribers.reader.deviceUserList(),
      [],
      'bert is out; carl is not in by what may be the wrong one',
    );
    t.ok(held.subscribers.reader.credential(isp.tenantId, '', 'many79'), 'subscribers stay');
    await held.subscribers.stop();
    await harness.subscribers.start();
  });

  await t.test('staff of a tenant that a copy does not have stay until the loss is confirmed', async (t) => {
    await harness.subscribers.stop();
    const held = createHarness(t, (await databaseForTest(t)).feedUrl, temporaryFolder(t));
    cpSync(folder, held.path, { recursive: true });
    await held.ready();
    await until(() => held.subscribers.guard.list().some(({ kind }) => kind === 'reload'), 'the copy is held', 15_000);
    t.match(held.subscribers.reader.deviceUserList(), [{ userName: 'bert' }]);
    await held.subscribers.stop();
    await harness.subscribers.start();
  });

  await t.test('a node that starts without PostgreSQL knows them', async (t) => {
    await harness.subscribers.stop();
    const alone = openSnapshotReader({ path: folder });
    t.teardown(() => alone.close());
    t.match(alone.deviceUserList(), [{ userName: 'bert' }]);
  });
});
