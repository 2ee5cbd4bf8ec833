// The benches at their smallest: the generator and every peer work, and what they counted is what was sent. Says nothing about speed.
import { spawn } from 'node:child_process';
import path from 'node:path';
import t from 'tap';
import { missing } from '#test/support/peers.ts';

const root = path.resolve(import.meta.dirname, '../..');

type Total = { sent: number; answered: number; refused: number; lost: number; bad: number; verified: number };
type Run = { total: Total; countedSeconds: number | null };
type Measured = { server: string; case: string; runs: Run[]; halfLoad: object | null; durability: string | null };

/** What `npm run bench:<name> -- --quick --json` prints; rejects when it ends with an error. */
function quickRun(name: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['ops/run.mjs', `bench/${name}.ts`, '--quick', '--json'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    let problems = '';
    child.stdout.on('data', (chunk) => (printed += chunk));
    child.stderr.on('data', (chunk) => (problems += chunk));
    child.on('close', (exitCode) => {
      if (exitCode === 0) resolve(JSON.parse(printed));
      else reject(new Error(`bench/${name}.ts ended with ${exitCode}:\n${problems}`));
    });
  });
}

t.setTimeout(290_000);

const skip = missing('taskset', 'redis-server', 'freeradius', 'freeradius-postgresql');

t.test('bench:radius measures Lastmile and FreeRADIUS with verified answers', { timeout: 280_000, skip }, async (t) => {
  const { measured } = (await quickRun('radius')) as { measured: Measured[] };
  t.strictSame(
    measured.map((row) => `${row.server}: ${row.case}`),
    [
      'Lastmile, 2 workers: PAP',
      'Lastmile, 2 workers: CHAP',
      'Lastmile, 2 workers: accounting',
      'FreeRADIUS, users file: PAP, one source port',
      'FreeRADIUS, users file: CHAP',
      'FreeRADIUS, PostgreSQL: PAP',
      'FreeRADIUS, PostgreSQL: accounting',
      'FreeRADIUS, detail file: accounting',
    ],
  );
  for (const { server, case: title, runs, durability } of measured) {
    for (const { total, countedSeconds } of runs) {
      t.match(total, { refused: 0, bad: 0, lost: 0 }, `${server}, ${title}: every request got its answer`);
      t.ok(total.answered > 0 && total.verified > 0, `${server}, ${title}: ${total.verified} replies are verified`);
      const counts = durability !== null && !server.includes('detail');
      t.equal(countedSeconds !== null, counts, `${server}, ${title}: counted or not`);
    }
  }
  t.ok(
    measured.some(({ halfLoad }) => halfLoad),
    'requests at even distances are measured too',
  );
});

type FlowTrial = { sent: { flows: number; flowBytes: number }; dropped: number; flows: number; flowBytes: number };
type MeasuredFlows = { collector: string; case: string; flowsPerSecond: number; trials: FlowTrial[] };

t.test(
  'bench:flow counts in the collectors exactly what was sent',
  { timeout: 280_000, skip: missing('taskset', 'nfdump', 'pmacct') },
  async (t) => {
    const { measured } = (await quickRun('flow')) as { measured: MeasuredFlows[] };
    const kinds = ['v9, 26 flows', 'v9, 1 flow', 'v5, 30 flows'];
    t.strictSame(
      measured.map((row) => `${row.collector}: ${row.case}`),
      ['nfcapd', 'nfacctd'].flatMap((collector) => kinds.map((kind) => `${collector}: ${kind}`)),
    );
    for (const { collector, case: title, flowsPerSecond, trials } of measured) {
      t.ok(flowsPerSecond > 0, `${collector}, ${title}: a rate is found`);
      const kept = trials.filter(({ dropped }) => dropped === 0);
      t.ok(kept.length > 0 && kept.every(({ sent }) => sent.flows > 0));
      t.strictSame(
        kept.map(({ flows, flowBytes }) => ({ flows, flowBytes })),
        kept.map(({ sent: { flows, flowBytes } }) => ({ flows, flowBytes })),
        `${collector}, ${title}: flows and bytes are those that were sent`,
      );
    }
  },
);
