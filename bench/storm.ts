// `npm run bench:storm`: all subscribers dial in at once after a power cut, at Lastmile and at FreeRADIUS, on the same cores.
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLastmile } from './lastmile/lastmile.ts';
import { describeMachine, packageVersion } from './machine/describe.ts';
import { endTogether } from './machine/interrupted.ts';
import { readOptions } from './options.ts';
import { startWithPostgres } from './peers/freeradius/targets.ts';
import { installForBench } from './peers/install.ts';
import type { Target } from './radius/target.ts';
import { head } from './report/head.ts';
import { publish } from './report/publish.ts';
import { saying } from './report/saying.ts';
import { rate } from './report/units.ts';
import { measureStorm, problemsOf, type StormMeasurement, stormPassword } from './storm/measure.ts';
import { stormTables } from './storm/report.ts';
import { slowPasswords } from './storm/slow-passwords.ts';
import { storeSlowly } from './storm/store-slowly.ts';
import { inWorkFolder } from './work-folder.ts';

/** One in ten has a password that is slow to check. */
const slowShare = 0.1;
/** Subscribers have them in turn. */
const differentHashes = 48;

endTogether();
const read = readOptions('storm', tmpdir());
// A power cut in a town, not in the country.
const options = { ...read, runs: 1, subscribers: Math.min(read.subscribers, 50_000) };
const say = (line: string) => console.error(line);
installForBench(['freeradius', 'freeradius-postgresql', 'redis-server'], say);

await inWorkFolder(options.folder, async (folder) => {
  const { subscribers } = options;
  const slowFrom = Math.floor(subscribers * (1 - slowShare));
  const machine = describeMachine(folder);
  const versions = { FreeRADIUS: packageVersion('freeradius'), Redis: packageVersion('redis-server') };
  const lastmile = createLastmile(path.join(folder, 'lastmile'), subscribers, say, options.profiles);
  const measured: StormMeasurement[] = [];
  // The same for both.
  const hashes = await saying(say, `hashing ${differentHashes} passwords`, () =>
    slowPasswords(stormPassword, differentHashes),
  );

  async function storm(name: string, start: () => Promise<Target>): Promise<void> {
    if (!name.includes(options.only)) return;
    const target = await saying(say, `starting ${name}`, start);
    try {
      const ours = { ...options, slowFrom, everybody: name === 'Lastmile', say };
      const result = await measureStorm(target, ours);
      measured.push(result);
      say(
        `  ${result.online} online after ${result.seconds.toFixed(1)} s, capacity ${rate(result.capacityPerSecond)}/s`,
      );
      const problems = problemsOf(result, ours);
      if (problems.length > 0) {
        say(stormTables([result]));
        throw new Error(`${name}: ${problems.join(', ')}\n${target.output()}`);
      }
    } finally {
      await saying(say, `stopping ${name}`, target.stop);
    }
  }

  try {
    await storm('Lastmile', async () => {
      const target = await lastmile.start(2);
      say(`  storing ${subscribers - slowFrom} passwords as slow hashes`);
      await storeSlowly(target, hashes, slowFrom, subscribers);
      return target;
    });
    await storm('FreeRADIUS, PostgreSQL', () =>
      startWithPostgres({ folder, subscribers, slow: { from: slowFrom, hashes } }),
    );
  } finally {
    await lastmile.remove();
  }
  publish(
    'storm',
    options,
    { machine, versions, measured },
    `${head(machine, versions, options)}\n\n${stormTables(measured)}`,
  );
});
