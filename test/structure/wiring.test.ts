// Each process can be built from its settings without starting anything, and says all that is wrong with them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';

const root = path.resolve(import.meta.dirname, '../..');

function check(script: string, environment: Record<string, string>) {
  return spawnSync(process.execPath, ['ops/run.mjs', script, '--check'], {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', UV_THREADPOOL_SIZE: '16', ...environment },
    encoding: 'utf8',
    timeout: 30_000,
  });
}

const processes = [
  { script: 'aaa-server/main.ts', wrong: ['AAA_ADMIN_PORT', 'LASTMILE_SECRET_KEY'] },
  { script: 'flow-collector/main.ts', wrong: ['FLOW_ADMIN_PORT', 'FEED_DATABASE_URL'] },
  { script: 'control-api/main.ts', wrong: ['AAA_ADMIN_PORT', 'LASTMILE_SECRET_KEY'] },
];

for (const { script, wrong } of processes) {
  t.test(`${script} --check builds everything and starts nothing`, async (t) => {
    const dataDir = mkdtempSync(path.join(tmpdir(), 'lastmile-check-'));
    t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
    const result = check(script, {
      LASTMILE_DATA_DIR: dataDir,
      LASTMILE_SECRET_KEY: 'a secret of the tests only',
      REDIS_URL: 'redis://127.0.0.1:1',
      FEED_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
      APP_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    });
    t.equal(result.status, 0, result.stdout + result.stderr);
  });

  t.test(`${script} lists every wrong setting and ends with 1`, async (t) => {
    const result = check(script, {
      BIND_HOST: 'not an address',
      LOG_LEVEL: 'loud',
      AAA_ADMIN_PORT: '70000',
      FLOW_ADMIN_PORT: '70000',
    });
    t.equal(result.status, 1);
    for (const name of ['BIND_HOST', 'LOG_LEVEL', ...wrong]) {
      t.match(result.stdout + result.stderr, name);
    }
  });
}

t.test('a dictionary of the operator that is wrong stops aaa-server, with file and line', async (t) => {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'lastmile-check-'));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const dictionary = path.join(dataDir, 'own');
  writeFileSync(dictionary, 'ATTRIBUTE Colour 250 string\nATTRIBUTE Shape 251 strnig\n');
  const result = check('aaa-server/main.ts', {
    LASTMILE_DATA_DIR: dataDir,
    LASTMILE_SECRET_KEY: 'a secret of the tests only',
    REDIS_URL: 'redis://127.0.0.1:1',
    FEED_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    RADIUS_DICTIONARY: dictionary,
  });
  t.equal(result.status, 1);
  t.match(result.stderr, /own:2: Shape has the unknown type strnig/);
});

const olderNode = ['/usr/bin/node', '/usr/local/bin/node'].find((program) => {
  const version = spawnSync(program, ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout ?? '';
  return version !== '' && Number(version.split('.')[0]) < 24;
});
const reason = olderNode ? false : 'no Node older than 24 on this machine';

t.test('an older Node is told what to do', { skip: reason }, async (t) => {
  const old = spawnSync(olderNode!, ['ops/run.mjs', 'ops/up.ts'], { cwd: root, encoding: 'utf8' });
  t.equal(old.status, 1);
  t.match(old.stderr, /Lastmile runs on Node 24/);
});
