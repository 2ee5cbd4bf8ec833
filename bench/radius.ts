// `npm run bench:radius`: logins and accounting of Lastmile beside FreeRADIUS, one after the other on the same cores.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describeMachine, packageVersion } from './machine/describe.ts';
import { endTogether } from './machine/interrupted.ts';
import { readOptions } from './options.ts';
import { installForBench } from './peers/install.ts';
import { radiusCases } from './radius/cases.ts';
import { startEcho } from './radius/echo.ts';
import { type Measurement, measure } from './radius/measure.ts';
import { radiusTables } from './radius/report.ts';
import { radiusSetups } from './radius/setups.ts';
import { head } from './report/head.ts';
import { writeSection } from './report/readme.ts';
import { rate } from './report/units.ts';

const options = readOptions('radius', tmpdir());
endTogether();
const say = (line: string) => console.error(line);
mkdirSync(options.folder, { recursive: true });
const folder = mkdtempSync(path.join(options.folder, 'lastmile-bench-'));
const machine = describeMachine(folder);
installForBench(['freeradius', 'freeradius-postgresql', 'redis-server'], say);
const versions = { FreeRADIUS: packageVersion('freeradius'), Redis: packageVersion('redis-server') };

const { setups, end } = radiusSetups({ ...options, folder }, say);
const measured: Measurement[] = [];
try {
  for (const setup of setups) {
    if (!setup.name.includes(options.only)) continue;
    say(`starting ${setup.name}`);
    const target = await setup.start();
    try {
      for (const radiusCase of setup.cases) {
        const result = await measure(target, radiusCase, options);
        measured.push(result);
        say(`  ${radiusCase.title}, ${radiusCase.placement.name}: ${rate(result.perSecond)}/s`);
      }
    } finally {
      await target.stop();
    }
  }
  const echoTarget = await startEcho();
  const echo = await measure(echoTarget, { ...radiusCases().one, halfLoad: false }, options).finally(echoTarget.stop);
  if (options.json) console.log(JSON.stringify({ machine, versions, options, measured, echo }, null, 2));
  const text = `${head(machine, versions, options)}\n\n${radiusTables(measured, echo)}`;
  if (!options.json) console.log(text);
  if (options.write) writeSection('radius', text);
} finally {
  await end();
  rmSync(folder, { recursive: true, force: true });
}
