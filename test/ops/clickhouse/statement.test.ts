// What the embedded ClickHouse reads in a statement before the engine does.
import fc from 'fast-check';
import t from 'tap';
import { headerOnce } from '#ops/stores/embedded/clickhouse/header.ts';
import { createLanes, type Lane, LanesFull } from '#ops/stores/embedded/clickhouse/lanes.ts';
import { readStatement } from '#ops/stores/embedded/clickhouse/statement.ts';
import { runs } from '#test/support/effort.ts';

/** An insert as its head, settings, format and data. */
function insert(source: string): unknown {
  const statement = readStatement(source);
  if (statement.kind !== 'insert') return statement;
  return [statement.head.trim(), statement.settings.trim(), statement.format, source.slice(statement.dataAt)];
}

t.test('inserts are split where their rows begin', async (t) => {
  for (const [source, ...expected] of [
    ['INSERT INTO t FORMAT CSV\n1,2\n', 'INSERT INTO t', '', 'CSV', '1,2\n'],
    ['insert t format CSV 1', 'insert t', '', 'CSV', '1'],
    ['INSERT INTO t (a, b)\nFORMAT\tRowBinary\r\n\0\n', 'INSERT INTO t (a, b)', '', 'RowBinary', '\0\n'],
    ['INSERT INTO t FORMAT TSV\n\n', 'INSERT INTO t', '', 'TSV', '\n'],
    [
      "INSERT INTO t (a) SETTINGS x = 1, y = 'FORMAT' FORMAT CSV 1",
      'INSERT INTO t (a)',
      "SETTINGS x = 1, y = 'FORMAT'",
      'CSV',
      '1',
    ],
    ["INSERT INTO t VALUES (1, 'a;b'), (2, 'c')", 'INSERT INTO t', '', 'Values', " (1, 'a;b'), (2, 'c')"],
    ['INSERT INTO t FORMAT Values (1)', 'INSERT INTO t', '', 'Values', '(1)'],
    ['INSERT INTO `format` FORMAT CSV 1', 'INSERT INTO `format`', '', 'CSV', '1'],
    ['INSERT INTO format FORMAT CSV 1', 'INSERT INTO format', '', 'CSV', '1'],
    ['INSERT INTO settings (format) FORMAT CSV 1', 'INSERT INTO settings (format)', '', 'CSV', '1'],
    [
      '/* INSERT x */ -- y\nINSERT INTO d.t (`a)`, "FORMAT") FORMAT CSV 1',
      '/* INSERT x */ -- y\nINSERT INTO d.t (`a)`, "FORMAT")',
      '',
      'CSV',
      '1',
    ],
    ["INSERT INTO FUNCTION remote('h', t) FORMAT CSV 1", "INSERT INTO FUNCTION remote('h', t)", '', 'CSV', '1'],
  ] as const) {
    t.same(insert(source), expected, source);
  }
});

t.test('inserts of a selection are statements like any other', async (t) => {
  for (const source of [
    "INSERT INTO t SELECT 1, ';' AS x",
    'INSERT INTO t (a) WITH 1 AS y SELECT y',
    'INSERT INTO t SETTINGS a = 1 SELECT 1',
  ]) {
    t.match(readStatement(source), { kind: 'other', sql: source });
  }
});

t.test('selections are told from the rest, with their own format and without their semicolon', async (t) => {
  for (const [source, kind, sql, format] of [
    ['SELECT 1', 'select', 'SELECT 1', undefined],
    ['SELECT 1 ; ', 'select', 'SELECT 1', undefined],
    ['SELECT 1 FORMAT JSON;', 'select', 'SELECT 1 FORMAT JSON', 'JSON'],
    ['SELECT 1 FORMAT JSON SETTINGS a = 1', 'select', 'SELECT 1 FORMAT JSON SETTINGS a = 1', 'JSON'],
    ["SELECT 'FORMAT CSV; x' AS a, b -- FORMAT TSV; y", 'select', "SELECT 'FORMAT CSV; x' AS a, b", undefined],
    ['(SELECT 1) UNION ALL (SELECT 2)', 'select', '(SELECT 1) UNION ALL (SELECT 2)', undefined],
    [
      'WITH x AS (SELECT 1 AS format) SELECT * FROM x',
      'select',
      'WITH x AS (SELECT 1 AS format) SELECT * FROM x',
      undefined,
    ],
    ['SELECT $a$ ; FORMAT X $a$', 'select', 'SELECT $a$ ; FORMAT X $a$', undefined],
    ['SHOW TABLES FORMAT CSV', 'other', 'SHOW TABLES FORMAT CSV', 'CSV'],
    ['kill query where 1', 'kill', 'kill query where 1', undefined],
    ['# comment\nDROP TABLE t', 'other', '# comment\nDROP TABLE t', undefined],
  ] as const) {
    t.same(readStatement(source), { kind, sql, format }, source);
  }
});

t.test('what must not be done over HTTP is refused', async (t) => {
  for (const source of [
    'SELECT 1; DROP TABLE t',
    "SELECT 1 INTO OUTFILE 'x'",
    "INSERT INTO t FROM INFILE 'x' FORMAT CSV",
    'KILL QUERY WHERE 1 SYNC',
    '',
    ' -- nothing',
    ';',
  ]) {
    t.equal(readStatement(source).kind, 'refused', source);
  }
});

t.test('whatever is sent, reading it ends and never throws', async (t) => {
  const pieces = fc.constantFrom(
    "'",
    '"',
    '`',
    '\\',
    ';',
    '(',
    ')',
    '--',
    '/*',
    '*/',
    '$a$',
    '\n',
    'FORMAT',
    'INSERT',
    'INTO',
    'SELECT',
    ' ',
    'x',
    '\xff',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
      const source = parts.join('');
      const statement = readStatement(source);
      if (statement.kind === 'insert') t.ok(statement.dataAt <= source.length);
    }),
    { numRuns: runs(500) },
  );
  const from = performance.now();
  readStatement(`SELECT '${'\\\\'.repeat(400_000)}`);
  readStatement(`SELECT ${'('.repeat(500_000)}`);
  readStatement(`INSERT INTO t ${'a '.repeat(400_000)}`);
  t.comment(`${Math.round(performance.now() - from)} ms for megabytes`);
});

t.test('a header is left out of all chunks but the first', async (t) => {
  const csv = headerOnce('CSVWithNamesAndTypes');
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
  t.equal(text(csv(Buffer.from('"a\nb"\n"UInt8"\n1\n'))), '"a\nb"\n"UInt8"\n1\n');
  t.equal(text(csv(Buffer.from('"a\nb"\n"UInt8"\n2\n'))), '2\n');
  t.equal(text(csv(Buffer.from('3\n'))), '3\n', 'what has no header stays as it is');
  const binary = headerOnce('RowBinaryWithNames');
  t.equal(text(binary(Buffer.from('\x02\x01a\x02bcXY'))), '\x02\x01a\x02bcXY');
  t.equal(text(binary(Buffer.from('\x02\x01a\x02bcZ'))), 'Z');
  t.equal(text(headerOnce('TSV')(Buffer.from('a\n'))), 'a\n');
});

t.test('lanes', async (t) => {
  const lane = (): Lane => ({ run: async () => ({ rows: 0, bytes: 0 }), close: async () => {} });
  const opened: Lane[] = [];
  const lanes = createLanes({
    size: 2,
    waiting: 2,
    open: async () => {
      const made = lane();
      opened.push(made);
      return made;
    },
  });
  const never = new AbortController().signal;
  const hold = () => {
    const held = Promise.withResolvers<void>();
    const got = Promise.withResolvers<Lane>();
    const done = lanes.with(never, async (given) => {
      got.resolve(given);
      await held.promise;
    });
    return { got: got.promise, free: () => held.resolve(), done };
  };

  const [first, second] = [hold(), hold()];
  t.not(await first.got, await second.got, 'each has one of its own');
  const third = hold();
  const leaving = new AbortController();
  const fourth = lanes.with(leaving.signal, async () => t.fail('it never had a lane'));
  await t.rejects(
    lanes.with(never, async () => {}),
    LanesFull,
    'more may not wait',
  );
  leaving.abort(new Error('gone'));
  await t.rejects(fourth, /gone/);
  first.free();
  t.equal(await third.got, await first.got, 'the first that waits gets the first that is free');
  for (const held of [second, third]) held.free();
  await Promise.all([first.done, second.done, third.done]);
  await t.rejects(
    lanes.with(never, async () => {
      throw new Error('failed');
    }),
    /failed/,
  );
  await lanes.with(never, async (given) => t.ok(opened.includes(given), 'a lane survives what fails on it'));
  t.equal(opened.length, 2);
});
