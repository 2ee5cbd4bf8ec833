// What the demo shows: numbers, lines that fit, a terminal that is given back, the picture, and the verdict at the end.
import { EventEmitter } from 'node:events';
import t from 'tap';
import { readArguments } from '#ops/demo/arguments.ts';
import { eventKinds } from '#ops/demo/isp/meters.ts';
import type { ByteCount, Subscriber } from '#ops/demo/isp/subscriber.ts';
import { findPlaces, routerOf, serverCount } from '#ops/demo/places.ts';
import { usageWitness } from '#ops/demo/proof/usage-witness.ts';
import { hear, type Witness } from '#ops/demo/proof/witness.ts';
import { lengthOf, span } from '#ops/demo/screen/canvas.ts';
import { layout } from '#ops/demo/screen/layout.ts';
import { progressLine } from '#ops/demo/screen/progress-line.ts';
import { toSvg } from '#ops/demo/screen/svg.ts';
import { openTerminal, type TerminalOutput } from '#ops/demo/screen/terminal.ts';
import { bytesText, durationText, msText, rateText, sparkline, wholeText } from '#ops/demo/screen/units.ts';
import type { View } from '#ops/demo/screen/view.ts';
import type { Summary } from '#ops/demo/summarize.ts';
import { summaryJson, summaryLines } from '#ops/demo/summary-text.ts';

const view: View = {
  elapsedS: 42,
  durationS: 60,
  factor: 240,
  clock: '20:48',
  subscribers: 10_000,
  online: 9876,
  loginsPerS: 123.4,
  accepts: 123_456,
  rejects: 1234,
  downBps: 123_400_000_000,
  upBps: 12_340_000_000,
  downHistory: [1, 2, 3, 4, 5, 6, 7, 8],
  upHistory: [8, 4, 2, 1],
  accountingPerS: 399.9,
  responseMs: { p50: 1.234, p99: 987 },
  retransmissions: 12_345,
  mishaps: 54_321,
  throttled: 321,
  dynamicRequests: 456,
  dynamicAcked: 455,
  lagMs: { p50: 31, p99: 84 },
  radiusBytes: 412_300_000_000,
  flowBytes: 418_900_000_000,
  flowLostBytes: 100_000_000,
  backlogBytes: 123_456,
  flow: 'not running',
  notice: null,
  servers: Array.from({ length: 8 }, (_, place) => ({
    name: `bras${place + 1}`,
    address: `127.0.1.${place + 1}`,
    phase: place === 1 ? 'draining' : 'up',
    online: 1234,
    throttled: 40,
    downBps: 15_400_000_000,
    upBps: 1_540_000_000,
    accountingPerS: 50.2,
    dynamicRequests: 57,
  })),
  events: Array.from({ length: 50 }, (_, place) => ({
    atMs: 1_700_000_000_000 + place,
    kind: eventKinds[place % eventKinds.length]!,
    text: `user${place} crossed 10 GB → 2M/2M in ${place} ms`,
  })),
};

t.test('numbers as people read them', async (t) => {
  t.same([0, 999, 1000, 999_499, 999_500, 12_340_000, 1e15].map(bytesText), [
    '0 B',
    '999 B',
    '1.00 kB',
    '999 kB',
    '1.00 MB',
    '12.3 MB',
    '1.00 PB',
  ]);
  t.equal(bytesText(-1_500_000), '−1.50 MB');
  t.equal(rateText(2_000_000), '2.00 Mbit/s');
  t.equal(wholeText(1_234_567), '1 234 567');
  t.same([0, 59.9, 61, 3600].map(durationText), ['00:00', '00:59', '01:01', '1:00:00']);
  t.same([null, 1.26, 84.4, 12_345].map(msText), ['–', '1.3 ms', '84 ms', '12.3 s']);
  t.equal(sparkline([0, 1, 4, 8], 6), '   ▁▄█');
  t.equal(sparkline([1, 2, 4, 8], 2), '▄█');
});

t.test('the screen fits', async (t) => {
  for (const [width, height] of [
    [80, 24],
    [120, 40],
    [200, 60],
  ] as const) {
    const lines = layout(view, width, height);
    t.equal(lines.length, height, `${height} lines`);
    t.ok(Math.max(...lines.map(lengthOf)) <= width, `${width} characters`);
  }
  const text = layout(view, 80, 24).map((line) => line.map((part) => part.text).join(''));
  for (const wanted of [
    /LASTMILE.*20:48, × 240 +00:42 of 01:00 $/,
    /9 876 of 10 000 +logins 123\.4\/s, 123 456 accepted, 1 234 rejected$/,
    /↓ 123 Gbit\/s.*█.*↑ 12\.3 Gbit\/s/,
    /399\.9\/s +answered in 1\.2 ms \(p50\) 987 ms \(p99\) +repeated 12345$/,
    /321 +CoA 456, acknowledged 455 +after 31 ms \(p50\) 84 ms \(p99\)/,
    /RADIUS 412 GB +flows 419 GB +difference 6\.70 GB \(1\.6 %\)/,
    /to count 123 kB +flow: not running +mishaps on purpose 54321$/,
    /bras1 +127\.0\.1\.1 +1234 +40 +15\.4 Gbit\/s +1\.54 Gbit\/s +50\.2 +57/,
    /bras2 .* draining/,
    /user0 crossed 10 GB → 2M\/2M in 0 ms/,
    /Ctrl-C/,
  ])
    t.ok(
      text.some((line) => wanted.test(line)),
      String(wanted),
    );
  t.match(progressLine(view), /^00:42, 9876\/10000 online, ↓ 123 Gbit\/s/);
});

/** A terminal that remembers what was written to it. */
function fakeOutput(columns: number, rows: number) {
  const emitter = new EventEmitter();
  let written = '';
  const output = Object.assign(emitter, {
    columns,
    rows,
    write: (text: string) => {
      written += text;
      return true;
    },
  });
  return {
    output: output as unknown as TerminalOutput & typeof emitter & { columns: number; rows: number },
    take: () => {
      const text = written;
      written = '';
      return text;
    },
  };
}

t.test('the terminal', async (t) => {
  const { output, take } = fakeOutput(10, 3);
  const self = Object.assign(new EventEmitter(), { pid: process.pid });
  const terminal = openTerminal(output, self);
  t.equal(take(), '\u001b[?1049h\u001b[?25l\u001b[2J', 'its own screen, without cursor');
  terminal.draw([[span('one')], [span('two', 'bold')], [span('a line that is too long')], [span('a row too many')]]);
  t.equal(
    take(),
    '\u001b[?2026h\u001b[1;1Hone       \u001b[2;1H\u001b[1mtwo\u001b[0m       \u001b[3;1Ha line tha\u001b[?2026l',
  );
  terminal.draw([[span('one')], [span('2', 'bold')], [span('a line that is too long')]]);
  t.equal(take(), '\u001b[?2026h\u001b[2;1H\u001b[1m2\u001b[0m         \u001b[?2026l', 'only what changed is written');
  terminal.draw([[span('one')], [span('2', 'bold')], [span('a line that is too long')]]);
  t.equal(take(), '');
  let redrawn = 0;
  terminal.onResize(() => {
    redrawn++;
    terminal.draw([[span('one')]]);
  });
  Object.assign(output, { columns: 20 });
  output.emit('resize');
  t.equal(redrawn, 1);
  t.equal(take(), `\u001b[2J\u001b[?2026h\u001b[1;1Hone${' '.repeat(17)}\u001b[?2026l`);
  self.emit('exit', 1);
  t.equal(take(), '\u001b[?25h\u001b[?1049l', 'whoever ends the process gives the screen back');
  terminal.close();
  terminal.draw([[span('late')]]);
  t.equal(take(), '', 'once');
  t.equal(self.listenerCount('exit') + self.listenerCount('SIGTSTP') + output.listenerCount('resize'), 0);
});

t.test('the picture is small SVG with every text in its column', async (t) => {
  const svg = toSvg(layout(view, 100, 30), 100);
  t.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="868"/);
  t.match(svg, /textLength="[\d.]+" fill="#ffffff" font-weight="bold">bras1</);
  t.equal(svg.match(/<text/g)?.length, svg.match(/<\/text>/g)?.length);
  t.ok(svg.length < 60_000, `${svg.length} characters`);
  t.match(toSvg([[span('a < b & "c"')]], 20), /a &#60; b &#38; &#34;c&#34;/);
});

t.test('arguments', async (t) => {
  t.same(readArguments([]), { subscribers: 200, durationS: null, json: false, picture: null });
  t.same(readArguments(['--subscribers', '50', '--duration', '60', '--json', '--picture', 'x.svg']), {
    subscribers: 50,
    durationS: 60,
    json: true,
    picture: 'x.svg',
  });
  for (const wrong of [['--subscribers', '0'], ['--subscribers', '10001'], ['--duration', 'long'], ['--speed'], ['x']])
    t.throws(() => readArguments(wrong), /usage: npm run demo/);
});

t.test('places on loopback', async (t) => {
  t.same([1, 50, 101, 200, 10_000].map(serverCount), [2, 2, 3, 4, 8]);
  t.same([0, 1, 2, 3].map(routerOf), [0, 0, 1, 1]);
  const places = await findPlaces(3, 31_799, ['127.0.1.2/32', '127.0.2.0/24', '127.0.3.101/32']);
  t.same(places, {
    servers: ['127.0.4.1', '127.0.4.2', '127.0.4.3'],
    routers: ['127.0.4.101', '127.0.4.102'],
  });
  await t.rejects(findPlaces(2, 31_799, ['127.0.0.0/8']), /no loopback network is free/);
});

function reporter(id: number, acked: ByteCount, sent: ByteCount = acked): Subscriber {
  return {
    userName: `user${id}`,
    subscriptionId: id,
    before: { up: 100, down: 1000 },
    acked,
    sent,
  } as unknown as Subscriber;
}

t.test('witnesses', async (t) => {
  const world = { nowMs: 0 };
  const asking = {
    patienceMs: 1000,
    nowMs: () => world.nowMs,
    pause: async () => {
      world.nowMs += 100;
    },
  };
  const witness = (readings: Readonly<Record<number, ByteCount>>[]): Witness & { asked: number[][] } => {
    const asked: number[][] = [];
    return {
      ...usageWitness({ usage: () => Promise.reject(new Error('not asked')) }),
      asked,
      async read(subscribers) {
        asked.push(subscribers.map(({ subscriptionId }) => subscriptionId));
        const reading = readings[Math.min(asked.length, readings.length) - 1] ?? {};
        return new Map(Object.entries(reading).map(([id, count]) => [Number(id), count]));
      },
    };
  };

  await t.test('agree when they say what was acknowledged, on top of what was before', async (t) => {
    const right = witness([{ 1: { up: 107, down: 1009 }, 2: { up: 100, down: 1000 } }]);
    const heard = await hear(right, [reporter(1, { up: 7, down: 9 }), reporter(2, { up: 0, down: 0 })], asking);
    t.match(heard, { witness: 'the API', subscribers: 2, expectedBytes: 2216, foundBytes: 2216, differences: [] });
  });

  await t.test('are asked again about those who do not fit yet', async (t) => {
    const slow = witness([{ 1: { up: 100, down: 1000 }, 2: { up: 101, down: 1000 } }, { 1: { up: 107, down: 1009 } }]);
    const heard = await hear(slow, [reporter(1, { up: 7, down: 9 }), reporter(2, { up: 1, down: 0 })], asking);
    t.same(slow.asked, [[1, 2], [1]]);
    t.same(heard.differences, []);
  });

  await t.test('who count a byte too many or too few are told apart', async (t) => {
    const wrong = witness([{ 1: { up: 108, down: 1009 }, 2: { up: 101, down: 999 } }]);
    const heard = await hear(
      wrong,
      [reporter(1, { up: 7, down: 9 }), reporter(2, { up: 1, down: 0 }), reporter(3, { up: 1, down: 1 })],
      asking,
    );
    t.same(heard.differences, [
      { userName: 'user1', expected: 'up 107, down 1009', found: 'up 108, down 1009' },
      { userName: 'user2', expected: 'up 101, down 1000', found: 'up 101, down 999' },
      { userName: 'user3', expected: 'up 101, down 1001', found: 'up 0, down 0' },
    ]);
    t.ok(wrong.asked.length > 5, 'they had their time');
  });

  await t.test('who cannot be asked are asked again, and it is told', async (t) => {
    const away = { ...witness([]), read: () => Promise.reject(new Error('away')) };
    const heard = await hear(away, [reporter(1, { up: 0, down: 0 })], asking);
    t.match(heard, { problem: 'away', differences: [{ userName: 'user1' }] });
    let times = 0;
    const back = {
      ...witness([]),
      async read() {
        if (times++ === 0) throw new Error('away');
        return new Map([[1, { up: 100, down: 1000 }]]);
      },
    };
    t.match(await hear(back, [reporter(1, { up: 0, down: 0 })], asking), { problem: null, differences: [] });
  });

  await t.test('of what was never answered may say either', async (t) => {
    const unsure = [reporter(1, { up: 7, down: 9 }, { up: 7, down: 20 })];
    for (const [down, count] of [
      [1009, 0],
      [1020, 0],
      [1021, 1],
      [1008, 1],
    ] as const)
      t.equal((await hear(witness([{ 1: { up: 107, down } }]), unsure, asking)).differences.length, count, `${down}`);
  });
});

t.test('the summary', async (t) => {
  const summary: Summary = {
    durationS: 60,
    subscribers: 2,
    accessServers: 2,
    timeFactor: 240,
    logins: { accepted: 3, rejected: 1, unanswered: 0 },
    accounting: {
      acknowledgedBytes: 16,
      unansweredBytes: 0,
      unreportedBytes: 5,
      sentAgain: 2,
      responseMs: { p50: 1, p99: 2 },
    },
    enforcement: { crossings: 1, requests: 1, acknowledged: 1, lagMs: { p50: 31, p99: 31 } },
    reboots: { count: 1, sessionsLost: 1 },
    mishaps: { lost: 1, doubled: 2, late: 3 },
    flows: {
      collector: 'flow-collector: not running',
      datagrams: 9,
      records: 99,
      lost: 1,
      exportedBytes: 20,
      lostBytes: 1,
    },
    testimonies: [
      { witness: 'the API', subscribers: 2, expectedBytes: 16, foundBytes: 16, differences: [], problem: null },
    ],
    absent: [],
    errors: [],
    allBytesAccountedFor: true,
  };
  const lines = summaryLines(summary);
  t.equal(lines.at(-1), 'all bytes accounted for');
  t.notMatch(lines.join('\n'), /error/);
  const differences = Array.from({ length: 25 }, (_, place) => ({
    userName: `user${place}`,
    expected: 'x',
    found: 'y',
  }));
  const wrong = summaryLines({
    ...summary,
    testimonies: [
      { witness: 'the API', subscribers: 25, expectedBytes: 16, foundBytes: 17, differences, problem: 'ECONNREFUSED' },
    ],
    errors: ['bras1 gets no answer to its accounting'],
    allBytesAccountedFor: false,
  });
  t.match(
    wrong.join('\n'),
    /agrees for 0 of 25[\s\S]*did not answer in the end: ECONNREFUSED[\s\S]*user0: x expected, y found[\s\S]*and 5 more[\s\S]*error: bras1/,
  );
  t.equal(wrong.at(-1), 'NOT all bytes are accounted for');
  t.match(JSON.parse(summaryJson(summary)), {
    all_bytes_accounted_for: true,
    accounting: { acknowledged_bytes: 16, response_ms: { p50: 1 } },
    testimonies: [{ expected_bytes: 16 }],
  });
});
