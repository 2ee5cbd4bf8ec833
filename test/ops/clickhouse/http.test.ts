// The embedded ClickHouse as its clients meet it: unmodified @clickhouse/client and curl over HTTP.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import { createClient } from '@clickhouse/client';
import t from 'tap';
import { clickHouseFailure, clickHouseProblem, createClickHouse } from '#ops/stores/clickhouse.ts';
import { startClickHouse } from '#test/support/clickhouse.ts';
import { until } from '#test/support/wait.ts';

t.setTimeout(300_000);

const store = await startClickHouse(t);
const { client, url } = store;
const address = new URL(url);
const { port, username, password } = address;
const base = `http://127.0.0.1:${port}/`;
const basic = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

/** A plain HTTP request with our credentials. */
async function ask(query: Record<string, string>, body?: string | Buffer, headers: Record<string, string> = {}) {
  const parameters = new URLSearchParams({ database: 'lastmile', ...query });
  const response = await fetch(`${base}?${parameters}`, {
    method: 'POST',
    headers: { authorization: basic, ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

async function rowsOf<T>(query: string, more: object = {}): Promise<T[]> {
  return (await client.query({ query, format: 'JSONEachRow', ...more })).json<T>();
}

async function curl(...args: string[]): Promise<{ stdout: string; code: number }> {
  try {
    const { stdout } = await promisify(execFile)('curl', ['-sS', '--max-time', '60', ...args]);
    return { stdout, code: 0 };
  } catch (error) {
    const failed = error as { stdout: string; code: number };
    return { stdout: failed.stdout, code: failed.code };
  }
}

await client.command({
  query: `CREATE TABLE things (id UInt64, name String, at DateTime64(3, 'UTC') DEFAULT '2026-01-01 00:00:00', double UInt64 MATERIALIZED id * 2)
    ENGINE = MergeTree ORDER BY id`,
});
const empty = () => client.command({ query: 'TRUNCATE TABLE things' });

t.test('who asks', async (t) => {
  await t.test('is told without a password only that the server lives', async (t) => {
    for (const path of ['ping', '', 'replicas_status']) t.equal(await (await fetch(base + path)).text(), 'Ok.\n');
    t.equal((await fetch(`${base}nothing`)).status, 404);
    t.same(await client.ping(), { success: true });
  });

  await t.test('may say who it is in three ways, and must', async (t) => {
    const query = encodeURIComponent('SELECT 7');
    const with_ = (headers: Record<string, string>, more = '') => fetch(`${base}?query=${query}${more}`, { headers });
    t.equal(await (await with_({ authorization: basic })).text(), '7\n');
    t.equal(await (await with_({ 'x-clickhouse-user': username, 'x-clickhouse-key': password })).text(), '7\n');
    t.equal(await (await with_({}, `&user=${username}&password=${password}`)).text(), '7\n');

    const nobody = await with_({});
    t.equal(nobody.status, 401);
    t.equal(nobody.headers.get('x-clickhouse-exception-code'), '194');
    t.match(nobody.headers.get('www-authenticate'), /^Basic/);
    for (const refused of [
      await with_({ authorization: `Basic ${Buffer.from(`${username}:guess`).toString('base64')}` }),
      await with_({ 'x-clickhouse-user': 'default', 'x-clickhouse-key': password }),
      await with_({}, `&user=${username}`),
    ]) {
      t.equal(refused.status, 403);
      t.match(await refused.text(), /^Code: 516\. DB::Exception: .*\(AUTHENTICATION_FAILED\)/);
    }
    const wrong = new URL(url);
    wrong.password = 'guess';
    const stranger = createClickHouse(wrong.href);
    t.teardown(() => stranger.close());
    t.match(await clickHouseProblem(stranger), /^ClickHouse does not answer: .*Authentication failed/);
  });

  await t.test('listens on loopback only', async (t) => {
    const listening = await promisify(execFile)('cat', ['/proc/net/tcp']);
    const hexPort = Number(port).toString(16).toUpperCase().padStart(4, '0');
    t.match(listening.stdout, `0100007F:${hexPort} 00000000:0000 0A`);
    t.notMatch(listening.stdout, `00000000:${hexPort} 00000000:0000 0A`);
  });
});

t.test('statements and their answers', async (t) => {
  await t.test('SQL comes in the address, in the body, or in both', async (t) => {
    t.equal((await ask({ query: 'SELECT 1' })).text, '1\n');
    t.equal((await ask({}, 'SELECT 2')).text, '2\n');
    t.equal((await ask({ query: 'SELECT' }, '3')).text, '3\n');
    t.equal((await ask({}, 'SELECT 4; ')).text, '4\n', 'a closing semicolon is no second statement');
    t.equal((await curl('-u', `${username}:${password}`, base, '-d', "SELECT 'ü' -- comment")).stdout, 'ü\n');
    t.equal((await curl('-u', `${username}:${password}`, `${base}?query=SELECT+5`)).stdout, '5\n');
  });

  await t.test('the format is the one of the statement, of default_format, or TabSeparated', async (t) => {
    const selected = 'SELECT 1 AS a, toUInt64(2) AS b';
    t.equal((await ask({}, selected)).text, '1\t2\n');
    t.equal((await ask({ default_format: 'CSV' }, selected)).text, '1,2\n');
    const named = await ask({ default_format: 'CSV' }, `${selected} FORMAT JSONEachRow`);
    t.equal(named.text, '{"a":1,"b":"2"}\n', '64-bit numbers are texts');
    t.equal(named.headers.get('x-clickhouse-format'), 'JSONEachRow');
    t.equal((await ask({}, selected, { 'x-clickhouse-format': 'TSVWithNames' })).text, 'a\tb\n1\t2\n');
    t.equal((await ask({}, "SELECT 1 AS format, 'FORMAT CSV' AS x")).text, '1\tFORMAT CSV\n');
  });

  await t.test('every statement has its id, its time zone and what it read', async (t) => {
    const { headers } = await ask({ query_id: 'mine', default_format: 'JSON' }, 'SELECT * FROM numbers(1000)');
    t.equal(headers.get('x-clickhouse-query-id'), 'mine');
    t.equal(headers.get('x-clickhouse-timezone'), 'UTC');
    t.equal(headers.get('content-type'), 'application/json; charset=UTF-8');
    t.match(JSON.parse(headers.get('x-clickhouse-summary') ?? ''), { read_rows: '1000', read_bytes: '8000' });
  });

  await t.test('parameters arrive as they were given', async (t) => {
    const given = {
      text: 'it\'s "a" \\ `b`\n\ttab \0 zero; -- ü',
      list: ['a', "b'c", 'd\\e'],
      numbers: [1, 2],
      when: new Date(Date.UTC(2026, 1, 3, 4, 5, 6, 789)),
      nothing: null,
      big: 2n ** 64n - 1n,
      map: new Map([['k', "v'"]]),
    };
    const [row] = await rowsOf<Record<string, unknown>>(
      `SELECT {text: String} AS text, {list: Array(String)} AS list, {numbers: Array(UInt8)} AS numbers,
        toString({when: DateTime64(3, 'UTC')}) AS when, {nothing: Nullable(String)} AS nothing, {big: UInt64} AS big,
        {map: Map(String, String)} AS map`,
      { query_params: given },
    );
    t.same(row, {
      ...given,
      when: '2026-02-03 04:05:06.789',
      big: '18446744073709551615',
      map: { k: "v'" },
    });
    const long = 'x'.repeat(100_000);
    const [sent] = await rowsOf<{ n: string }>('SELECT length({long: String}) AS n', { query_params: { long } });
    t.equal(Number(sent?.n), 100_000, 'a long parameter comes as a form');
    t.equal(
      (await rowsOf('SELECT {table: Identifier}.id FROM things', { query_params: { table: 'things' } })).length,
      0,
    );
  });

  await t.test('settings hold for one statement, and those of HTTP alone are no settings', async (t) => {
    const seen = "SELECT value FROM system.settings WHERE name = 'max_threads'";
    const before = (await ask({}, seen)).text;
    t.equal(
      (await ask({ max_threads: '13', wait_end_of_query: '1', http_headers_progress_interval_ms: '5' }, seen)).text,
      '13\n',
    );
    for (let again = 0; again < 8; again++) t.equal((await ask({}, seen)).text, before);
    const unknown = await ask({ no_such_setting: '1' }, 'SELECT 1');
    t.equal(unknown.status, 404);
    t.match(unknown.text, /^Code: 115\..*UNKNOWN_SETTING/);
    t.equal((await ask({ 'max_threads=1, x': '1' }, 'SELECT 1')).status, 400, 'a name is not a way into the SQL');
  });

  await t.test('GET changes nothing', async (t) => {
    const query = encodeURIComponent('CREATE TABLE by_get (a UInt8) ENGINE = Memory');
    const response = await fetch(`${base}?database=lastmile&query=${query}`, { headers: { authorization: basic } });
    t.match(await response.text(), /^Code: 164\..*READONLY/);
    t.equal((await ask({}, 'EXISTS TABLE by_get')).text, '0\n');
  });

  await t.test('lanes keep nothing of each other: settings, parameters, databases, temporary tables', async (t) => {
    await client.command({ query: 'CREATE DATABASE IF NOT EXISTS other' });
    const one = async (n: number) => {
      const database = n % 2 === 0 ? 'lastmile' : 'other';
      const { text } = await ask(
        { database, param_n: String(n), max_block_size: String(1000 + n) },
        `SELECT {n: UInt32}, currentDatabase(), (SELECT value FROM system.settings WHERE name = 'max_block_size')`,
      );
      t.equal(text, `${n}\t${database}\t${1000 + n}\n`);
      const unset = await ask({ database }, 'SELECT {n: UInt32}');
      t.match(unset.text, /^Code: 456\..*UNKNOWN_QUERY_PARAMETER/);
    };
    await Promise.all(Array.from({ length: 40 }, (_, n) => one(n)));
    t.equal((await ask({}, 'CREATE TEMPORARY TABLE mine (a UInt8)')).status, 200);
    for (let again = 0; again < 8; again++) t.equal((await ask({}, 'SELECT * FROM mine')).status, 404);
    await ask({}, 'SET max_threads = 13');
    await ask({}, '/* x */ USE other');
    for (let again = 0; again < 8; again++) t.equal((await ask({}, 'SELECT currentDatabase()')).text, 'lastmile\n');
  });

  await t.test('what only one session could have is refused in words', async (t) => {
    const refused = await ask({ session_id: 'a' }, 'SELECT 1');
    t.equal(refused.status, 501);
    t.match(refused.text, /^Code: 48\..*session_id.*NOT_IMPLEMENTED/);
    t.match((await ask({ decompress: '1' }, 'SELECT 1')).text, /Content-Encoding/);
    t.match((await ask({}, "SELECT 1 INTO OUTFILE '/tmp/x'")).text, /INTO OUTFILE is not allowed/);
    t.match((await ask({}, "INSERT INTO things FROM INFILE '/etc/passwd' FORMAT CSV")).text, /INFILE is not allowed/);
    t.match((await ask({}, 'KILL QUERY WHERE 1 SYNC')).text, /leave SYNC out/);
  });

  await t.test('errors have the codes and statuses of ClickHouse', async (t) => {
    for (const [sql, status, pattern] of [
      ['SELECT nothing', 404, /^Code: 47\..*UNKNOWN_IDENTIFIER\) \(version 2/],
      ['SELECT * FROM nowhere', 404, /^Code: 60\..*UNKNOWN_TABLE/],
      ['SELEC 1', 400, /^Code: 62\..*SYNTAX_ERROR/],
      ['SELECT 1; SELECT 2', 400, /^Code: 62\..*Multi-statements are not allowed/],
      ['SELECT throwIf(1)', 500, /^Code: 395\./],
      ["SELECT toUInt8('x')", 400, /^Code: 6\./],
      ['SELECT 1 FORMAT Nothing', 404, /^Code: 73\..*UNKNOWN_FORMAT/],
      ['', 400, /^Code: 62\..*Empty query/],
      [
        'SELECT sleepEachRow(1) FROM numbers(3) SETTINGS max_execution_time = 1, max_block_size = 1',
        408,
        /^Code: 159\./,
      ],
    ] as const) {
      const answer = await ask({}, sql);
      t.match(answer.text, pattern, sql);
      t.equal(answer.status, status, sql);
      t.equal(answer.headers.get('x-clickhouse-exception-code'), /^Code: (\d+)/.exec(answer.text)?.[1]);
      t.notMatch(answer.text, /lastmile:|spool/, 'no word of how it is done');
    }
    await t.rejects(rowsOf('SELECT * FROM nowhere'), { code: '60', type: 'UNKNOWN_TABLE' });
    t.equal((await ask({ database: 'absent' }, 'SELECT 1')).status, 404);
  });

  await t.test('failures are told apart: refused for ever, or away for now', async (t) => {
    const failure = (work: Promise<unknown>) => work.then(() => 'none', clickHouseFailure);
    t.equal(await failure(rowsOf('SELEC 1')), 'refused');
    t.equal(await failure(rowsOf('SELECT groupArray(number) FROM numbers(1000000000)')), 'away', 'memory');
    const nobody = createClickHouse('http://a:b@127.0.0.1:1/c');
    t.teardown(() => nobody.close());
    t.equal(await failure(nobody.command({ query: 'SELECT 1' })), 'away');
    t.match(await clickHouseProblem(nobody), /^ClickHouse does not answer: .*ECONNREFUSED/);
  });
});

t.test('long answers', async (t) => {
  const rows = 200_000;

  /** The bytes of an answer in the format. */
  async function answerIn(format: string, sql: string, more: Record<string, string> = {}): Promise<Buffer> {
    const parameters = new URLSearchParams({ default_format: format, ...more });
    const response = await fetch(`${base}?${parameters}`, {
      method: 'POST',
      headers: { authorization: basic },
      body: sql,
    });
    if (!response.ok) throw new Error(await response.text());
    return Buffer.from(await response.arrayBuffer());
  }

  await t.test('hold each row once in every format, and can be inserted again', async (t) => {
    await client.command({ query: 'CREATE TABLE copy (n UInt64, t String) ENGINE = MergeTree ORDER BY n' });
    for (const format of [
      'JSONEachRow',
      'JSONCompactEachRow',
      'JSONCompactEachRowWithNamesAndTypes',
      'JSON',
      'CSV',
      'CSVWithNames',
      'TabSeparated',
      'TabSeparatedWithNamesAndTypes',
      'RowBinary',
      'RowBinaryWithNamesAndTypes',
      'Native',
      'Parquet',
      'Values',
    ]) {
      const bytes = await answerIn(
        format,
        `SELECT number AS n, concat('a"\n\\t', toString(n)) AS t FROM numbers(${rows})`,
      );
      await client.command({ query: 'TRUNCATE TABLE copy' });
      const inserted = await ask({ query: `INSERT INTO copy FORMAT ${format}` }, bytes);
      t.equal(inserted.text, '', format);
      t.equal(JSON.parse(inserted.headers.get('x-clickhouse-summary') ?? '').written_rows, String(rows), format);
      const right = `SELECT count(), uniqExact(n), sum(n), countIf(t = concat('a"\n\\t', toString(n))) FROM copy`;
      t.equal((await ask({}, right)).text, `${rows}\t${rows}\t${(rows * (rows - 1)) / 2}\t${rows}\n`, format);
    }
  });

  await t.test('have their header once, also with a line end in a name', async (t) => {
    const text = (await answerIn('CSVWithNames', `SELECT number AS "a\nb" FROM numbers(${rows})`)).toString();
    t.equal(text.split('"a\nb"').length - 1, 1);
    t.equal(text.split('\n').length, rows + 3);
  });

  await t.test('have totals and the brackets of an array once too', async (t) => {
    const totals = await answerIn(
      'CSV',
      `SELECT number % 3 AS k, count() FROM numbers(${rows}) GROUP BY k WITH TOTALS`,
    );
    t.equal(totals.toString().trim().split('\n').at(-1), `0,${rows}`);
    const array = await answerIn('JSONEachRow', `SELECT number FROM numbers(${rows})`, {
      output_format_json_array_of_rows: '1',
    });
    t.equal((JSON.parse(array.toString()) as unknown[]).length, rows);
  });

  await t.test('are compressed when the client asks for it', async (t) => {
    const sql = `SELECT number FROM numbers(${rows})`;
    const plain = await answerIn('TSV', sql);
    const ours = ['-u', `${username}:${password}`, '-d', sql, '-H', 'Accept-Encoding: gzip'];
    const zipped = await promisify(execFile)('curl', ['-sS', ...ours, `${base}?enable_http_compression=1`], {
      encoding: 'buffer',
      maxBuffer: 1e8,
    });
    t.same(gunzipSync(zipped.stdout), plain);
    const compressing = createClient({ url, compression: { request: true, response: true } });
    t.teardown(() => compressing.close());
    const back = await compressing.query({ query: sql, format: 'JSONEachRow' });
    t.match(back.response_headers['content-encoding'], /gzip|zstd/);
    t.equal((await back.json()).length, rows);
    for (const encoding of ['br', 'zstd', 'deflate']) {
      const options = [...ours.slice(0, 4), '-H', `Accept-Encoding: ${encoding}`, '-D', '-', '-o', '/dev/null'];
      const { stdout } = await curl(...options, `${base}?enable_http_compression=1`);
      t.match(stdout, new RegExp(`content-encoding: ${encoding}`, 'i'));
    }
  });

  await t.test('flow at the pace of their reader, within the memory of a few pieces', async (t) => {
    const memory = () => residentMegabytes(store.pid());
    const before = memory();
    const response = await fetch(`${base}?default_format=RowBinary`, {
      method: 'POST',
      headers: { authorization: basic },
      body: 'SELECT number FROM numbers(30000000)',
    });
    let [read, highest] = [0, 0];
    for await (const bytes of response.body ?? []) {
      read += bytes.length;
      highest = Math.max(highest, memory());
    }
    t.equal(read, 240_000_000);
    t.ok(highest - before < 200, `${read} bytes took ${highest - before} MB more than ${before}`);
  });

  await t.test('that must be held in memory have a limit', async (t) => {
    const answer = await ask({ default_format: 'JSON' }, 'SELECT number, toString(number) FROM numbers(30000000)');
    t.match(answer.text, /^Code: 396\..*TOO_MANY_ROWS_OR_BYTES/);
    t.equal((await ask({}, 'SELECT 1')).text, '1\n');
  });

  await t.test('that fail on the way are not taken for whole', async (t) => {
    const sql = 'SELECT throwIf(number = 3000000) AS x, number FROM numbers(10000000)';
    const result = await client.query({ query: sql, format: 'JSONEachRow' });
    await t.rejects(async () => {
      for await (const _ of result.stream());
    }, /throwIf/);
    for (const more of ['', '&enable_http_compression=1']) {
      const failed = await curl(
        '--compressed',
        '-u',
        `${username}:${password}`,
        `${base}?default_format=CSV${more}`,
        '-d',
        sql,
        '-o',
        '/dev/null',
      );
      t.ok(failed.code > 0, `curl ends with ${failed.code}`);
    }
    t.equal((await ask({}, 'SELECT 1')).text, '1\n');
  });
});

t.test('a client that goes away takes its statement along', async (t) => {
  const running = async (sign: string) => {
    const [row] = await rowsOf<{ n: string }>(
      `SELECT count() AS n FROM system.processes WHERE position(query, {sign: String}) > 0 AND position(query, 'system.processes') = 0`,
      { query_params: { sign } },
    );
    return Number(row?.n);
  };
  const long = (sign: string) => [
    `SELECT /* ${sign} */ count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))`,
    `SELECT /* ${sign} */ (SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number)))`,
    `SELECT /* ${sign} */ number FROM numbers(1000000000000)`,
  ];
  for (const [index, query] of long('sign').entries()) {
    const sign = `sign ${index}`;
    const leaving = new AbortController();
    const read = fetch(`${base}?default_format=JSONEachRow`, {
      method: 'POST',
      headers: { authorization: basic },
      body: query.replace('sign', sign),
      signal: leaving.signal,
    }).then(async ({ body }) => {
      for await (const _ of body ?? []);
    });
    read.catch(() => {});
    await until(() => running(sign), `statement ${index} runs`, 60_000);
    leaving.abort();
    await t.rejects(read);
    await until(async () => (await running(sign)) === 0, `statement ${index} is killed`, 60_000);
  }

  await t.test('also one that waits for a lane', async (t) => {
    const leaving = new AbortController();
    const all = Array.from({ length: 8 }, (_, n) =>
      client.query({ query: long(`crowd ${n}`)[0]!, format: 'JSONEachRow', abort_signal: leaving.signal }),
    );
    for (const one of all) one.catch(() => {});
    // This is asked beside the lanes: all of them are taken.
    const crowd = async () => {
      const { text } = await ask({}, "KILL QUERY WHERE position(query, concat('crow', 'd')) > 0 TEST");
      return text.split('\n').length - 1;
    };
    await until(async () => (await crowd()) === 4, 'four of them run', 20_000);
    leaving.abort();
    for (const one of all) await t.rejects(one);
    await until(async () => (await crowd()) === 0, 'none is left', 20_000);
    t.same(await rowsOf('SELECT 1 AS one'), [{ one: 1 }]);
  });
});

t.test('inserts', async (t) => {
  t.beforeEach(empty);
  const stored = async () => (await ask({}, 'SELECT id, name, at, double FROM things ORDER BY id')).text;

  await t.test('take rows as objects and as a stream, fill in defaults, and say how many they wrote', async (t) => {
    const { summary } = await client.insert({
      table: 'things',
      values: [
        { id: 1, name: 'a' },
        { id: '2', name: 'ü', at: '2026-02-02 02:02:02.222' },
      ],
      format: 'JSONEachRow',
    });
    t.equal(summary?.written_rows, '2');
    const lines = Readable.from(['3,x\n', '4,"y', '\nz"\n'], { objectMode: false });
    await client.insert({ table: 'things', columns: ['id', 'name'], values: lines, format: 'CSV' });
    t.equal(
      await stored(),
      '1\ta\t2026-01-01 00:00:00.000\t2\n2\tü\t2026-02-02 02:02:02.222\t4\n3\tx\t2026-01-01 00:00:00.000\t6\n4\ty\\nz\t2026-01-01 00:00:00.000\t8\n',
    );
  });

  await t.test('come by curl in every usual way', async (t) => {
    const to = ['-u', `${username}:${password}`];
    const address = `${base}?database=lastmile`;
    const query = (sql: string) => `${address}&query=${encodeURIComponent(sql)}`;
    t.equal(
      (await curl(...to, query('INSERT INTO things (id, name) FORMAT CSV'), '--data-binary', '1,a\n2,b\n')).stdout,
      '',
    );
    t.equal(
      (await curl(...to, query('INSERT INTO things (id, name) VALUES'), '-d', "(3, 'it''s (a) FORMAT'), (4, 'd')"))
        .stdout,
      '',
    );
    t.equal((await curl(...to, address, '-d', "INSERT INTO things (id, name) VALUES (5, 'e'), (6, 'f');")).stdout, '');
    t.equal(
      (await curl(...to, address, '--data-binary', 'INSERT INTO things (id, name) FORMAT TSV\n7\tg\n8\th\n')).stdout,
      '',
    );
    t.equal(
      (await curl(...to, address, '-d', "INSERT INTO things (id, name) SELECT number, 's' FROM numbers(9, 2)")).stdout,
      '',
    );
    t.equal(
      (
        await curl(
          ...to,
          address,
          '-d',
          'INSERT INTO things (id) SETTINGS max_block_size = 100 FORMAT JSONEachRow {"id": 11} {"id": 12}',
        )
      ).stdout,
      '',
    );
    const chunked = await curl(
      ...to,
      '-H',
      'Transfer-Encoding: chunked',
      query('INSERT INTO things (id) FORMAT TSV'),
      '--data-binary',
      '13\n14\n',
    );
    t.equal(chunked.stdout, '');
    t.equal((await ask({}, 'SELECT count(), sum(id), uniqExact(id) FROM things')).text, '14\t105\t14\n');
  });

  await t.test('come compressed', async (t) => {
    const zipped = gzipSync('{"id": 1}\n{"id": 2}\n');
    const query = 'INSERT INTO things FORMAT JSONEachRow';
    t.equal((await ask({ query }, zipped, { 'content-encoding': 'gzip' })).text, '');
    t.equal((await ask({}, 'SELECT count() FROM things')).text, '2\n');
    const broken = await ask({ query }, zipped.subarray(0, 30).fill(7, 20), { 'content-encoding': 'gzip' });
    t.match(broken.text, /^Code: 354\./);
    t.equal((await ask({ query }, 'x', { 'content-encoding': 'lzma' })).status, 501);
  });

  await t.test('without rows are no error', async (t) => {
    for (const [query, body] of [
      ['INSERT INTO things FORMAT RowBinary', ''],
      ['INSERT INTO things VALUES', ''],
      ['', 'INSERT INTO things FORMAT JSONEachRow\n'],
    ] as const) {
      const answer = await ask(query === '' ? {} : { query }, body);
      t.equal(answer.status, 200, answer.text);
    }
    t.equal(await stored(), '');
  });

  await t.test('are taken whole or not at all', async (t) => {
    const wrong = await ask({ query: 'INSERT INTO things (id) FORMAT TSV' }, '1\n2\nthree\n');
    t.match(wrong.text, /^Code: 27\..*\(at row 3\)/s);
    t.equal(wrong.status, 400);
    t.equal((await ask({ query: 'INSERT INTO nowhere FORMAT TSV' }, '1\n')).status, 404);

    // A body that ends too early: the client died while it sent.
    const cut = httpRequest(
      `${base}?database=lastmile&query=${encodeURIComponent('INSERT INTO things (id) FORMAT TSV')}`,
      {
        method: 'POST',
        headers: { authorization: basic, 'content-length': 1000 },
      },
    );
    cut.on('error', () => {});
    await new Promise<void>((resolve) => cut.write('1\n2\n', () => resolve()));
    cut.destroy();
    t.equal((await ask({}, 'SELECT count() FROM things')).text, '0\n');
  });

  await t.test('too long for the server are refused before they are sent', async (t) => {
    const answer = await new Promise<string>((resolve, reject) => {
      const sent = httpRequest(`${base}?query=${encodeURIComponent('INSERT INTO things FORMAT RowBinary')}`, {
        method: 'POST',
        headers: { authorization: basic, 'content-length': 2 ** 31 },
      });
      sent.on('error', reject);
      sent.on('response', (response) => {
        response.setEncoding('utf8').once('data', (text: string) => resolve(`${response.statusCode} ${text}`));
      });
      sent.flushHeaders();
    });
    t.match(answer, /^413 Code: 307\./);
    const sql = await ask({}, `SELECT 1 -- ${'x'.repeat(2_000_000)}`);
    t.match(sql.text, /^Code: 291\./);
    t.equal(sql.status, 413);
  });

  await t.test('with a token count once, whatever their rows are, in the table and behind its views', async (t) => {
    await client.command({
      query: 'CREATE TABLE sums (name String, n UInt64) ENGINE = SummingMergeTree ORDER BY name',
    });
    await client.command({
      query: 'CREATE MATERIALIZED VIEW sums_view TO sums AS SELECT name, count() AS n FROM things GROUP BY name',
    });
    const insert = (id: number, token: string) =>
      client.insert({
        table: 'things',
        values: [{ id, name: 'n' }],
        format: 'JSONEachRow',
        clickhouse_settings: { insert_deduplication_token: token },
      });
    await insert(1, 'a');
    await insert(1, 'a');
    await insert(2, 'a');
    await insert(1, 'b');
    await Promise.all(Array.from({ length: 6 }, () => insert(3, 'c')));
    t.equal((await ask({}, 'SELECT groupArray(id) FROM (SELECT id FROM things ORDER BY id)')).text, '[1,1,3]\n');
    t.equal((await ask({}, 'SELECT sum(n) FROM sums')).text, '3\n');
    await client.command({ query: 'DROP VIEW sums_view' });
  });

  await t.test('of more than a block may stop half-way, and their retry with the token completes them', async (t) => {
    const n = 1_200_000;
    // Blocks of a million rows, only smaller.
    const blocks = {
      min_insert_block_size_rows: '100000',
      max_insert_block_size: '100000',
      min_insert_block_size_bytes: '0',
      // Read and written in turn, so that blocks are written before the end is read.
      max_block_size: '50000',
      max_threads: '1',
      input_format_parallel_parsing: '0',
    };
    const lines = Array.from({ length: n }, (_, id) => id).join('\n');
    const send = (end: string) =>
      ask(
        { query: 'INSERT INTO things (id) FORMAT TSV', insert_deduplication_token: 'long', ...blocks },
        Buffer.from(`${lines}\n${end}`),
      );
    t.match((await send('wrong\n')).text, /^Code: 27\./);
    const left = Number((await ask({}, 'SELECT count() FROM things')).text);
    t.ok(left > 0 && left < n, `${left} rows of ${n} are left of the one that failed`);
    t.equal((await send('')).text, '');
    t.equal((await ask({}, 'SELECT count(), uniqExact(id) FROM things')).text, `${n}\t${n}\n`);
  });

  await t.test('of binary rows are fast enough not to be what flows wait for', async (t) => {
    const n = 1_000_000;
    const rows = Buffer.alloc(n * 10);
    for (let row = 0; row < n; row++) {
      rows.writeUInt32LE(row, row * 10);
      rows[row * 10 + 8] = 1;
      rows[row * 10 + 9] = 0x41;
    }
    const from = performance.now();
    const answer = await ask({ query: 'INSERT INTO things (id, name) FORMAT RowBinary' }, rows);
    t.equal(answer.status, 200, answer.text);
    t.comment(`${Math.round(n / (performance.now() - from))}k rows/s`);
    t.equal(
      (await ask({}, 'SELECT count(), sum(id), uniqExact(name) FROM things')).text,
      `${n}\t${(n * (n - 1)) / 2}\t1\n`,
    );
  });
});

function residentMegabytes(pid: number): number {
  const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes) / 1024);
}
