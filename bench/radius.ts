// `npm run bench:radius`: logins and accounting of Lastmile beside FreeRADIUS, one after the other on the same cores.
import { tmpdir } from 'node:os';
import { messageOf } from '#ops/runtime/errors.ts';
import type { Footprint } from './lastmile/footprint.ts';
import { describeMachine, packageVersion } from './machine/describe.ts';
import { endTogether } from './machine/interrupted.ts';
import { readOptions } from './options.ts';
import { installForBench } from './peers/install.ts';
import { radiusCases } from './radius/cases.ts';
import { startEcho } from './radius/echo.ts';
import { type Measurement, measure } from './radius/measure.ts';
import { radiusTables } from './radius/report.ts';
import { radiusSetups, type Setup } from './radius/setups.ts';
import { head } from './report/head.ts';
import { publish } from './report/publish.ts';
import { rate } from './report/units.ts';
import { inWorkFolder } from './work-folder.ts';

endTogether();
const options = readOptions('radius', tmpdir());
const say = (line: string) => console.error(line);
installForBench(['freeradius', 'freeradius-postgresql', 'redis-server'], say);

await inWorkFolder(options.folder, async (folder) => {
  const machine = describeMachine(folder);
  const versions = { FreeRADIUS: packageVersion('freeradius'), Redis: packageVersion('redis-server') };
  const { setups, end } = radiusSetups({ ...options, folder }, say);
  const measured: Measurement[] = [];
  const footprints: Footprint[] = [];
  const failures: { readonly server: string; readonly error: unknown }[] = [];
  try {
    for (const setup of setups) {
      if (!setup.name.includes(options.only)) continue;
      say(`starting ${setup.name}`);
      try {
        await measureAll(setup);
      } catch (error) {
        // What the others reach is printed all the same.
        say(`  ${setup.name} failed: ${messageOf(error)}`);
        failures.push({ server: setup.name, error });
      }
    }
  } finally {
    await end();
  }

  async function measureAll(setup: Setup): Promise<void> {
    const target = await setup.start();
    try {
      for (const radiusCase of setup.cases) {
        const result = await measure(target, radiusCase, {
          ...options,
          subscribers: setup.subscribers ?? options.subscribers,
        });
        measured.push(result);
        say(`  ${radiusCase.title}, ${radiusCase.placement.name}: ${rate(result.perSecond)}/s`);
      }
      if (setup.footprint && target.footprint) footprints.push(await target.footprint());
    } finally {
      await target.stop();
    }
  }

  const echoTarget = await startEcho();
  const echo = await measure(echoTarget, radiusCases().one, options).finally(echoTarget.stop);
  const tables = `${head(machine, versions, options)}\n\n${radiusTables(measured, footprints, echo)}`;
  const failed = failures.map(({ server }) => server);
  publish('radius', options, { machine, versions, measured, footprints, echo }, tables, failed);
  if (failures.length > 0) {
    const errors = failures.map(({ error }) => error);
    throw new AggregateError(errors, `not measured to the end: ${failed.join('; ')}`);
  }
});
