// Logins from more sources than anybody has, through the real sockets of real workers: memory stays what it was.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { isLong } from '#test/support/effort.ts';
import { pap } from './support/driven.ts';
import { nasOf } from './support/isp.ts';
import { startWorkers } from './support/workers.ts';

const program = path.join(import.meta.dirname, 'support/flood.ts');
/** One million in the long run: every one an address of 127.0.0.0/8 of its own. */
const sources = isLong ? 1_000_000 : 2000;
const rounds = 10;
/** What is bounded (the ring of duplicates, the tables of known and unknown sources, young heaps) is full before the last three tenths. */
const lastRounds = 3;
const mostGrowth = 32 * 1024 * 1024;

t.setTimeout(isLong ? 3_000_000 : 240_000);

t.test(`logins from ${sources} sources`, { timeout: isLong ? 2_900_000 : 230_000 }, async (t) => {
  const nases = [nasOf({ address: '127.0.0.0/9' })];
  const { authPort, metric, workers, fatal } = await startWorkers(t, { count: 2, nases });
  const request = pap({ messageAuthenticator: true }).toString('hex');
  const each = sources / rounds;
  const resident: number[] = [];
  let answered = 0;
  for (let round = 0; round < rounds; round++) {
    const args = [program, String(authPort), String(round * each), String(each), request];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    answered += Number(stdout);
    resident.push(process.memoryUsage().rss);
  }
  t.ok(answered >= 0.999 * (sources / 2), `${answered} of the ${sources / 2} access servers were answered`);
  t.ok((await metric(/^lastmile_radius_dropped_total\{reason="unknown_client"/)) >= 0.999 * (sources / 2));
  const listed = (await workers.unknownClients()).clients.length;
  t.ok(listed > 0 && listed <= 100, `${listed} of the strangers are listed`);
  const growth = resident.at(-1)! - resident.at(-1 - lastRounds)!;
  t.comment(`resident after each tenth, MB: ${resident.map((bytes) => Math.round(bytes / 1024 / 1024)).join(' ')}`);
  t.ok(
    growth < mostGrowth,
    `resident memory grew by ${Math.round(growth / 1024 / 1024)} MB in the last ${lastRounds} tenths`,
  );
  t.equal(await metric(/^lastmile_radius_dropped_total\{reason="handler_error"/), 0);
  t.strictSame(fatal, []);
});
