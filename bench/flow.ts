// `npm run bench:flow`: the highest rate of flows without a loss, beside nfcapd and nfacctd, one after the other on the same cores.
import { tmpdir } from 'node:os';
import { flowCases } from './flow/cases.ts';
import { type FlowMeasurement, measureFlows } from './flow/measure.ts';
import { flowTable } from './flow/report.ts';
import { flowSetups } from './flow/setups.ts';
import { describeMachine, packageVersion } from './machine/describe.ts';
import { endTogether } from './machine/interrupted.ts';
import { readOptions } from './options.ts';
import { installForBench } from './peers/install.ts';
import { head } from './report/head.ts';
import { publish } from './report/publish.ts';
import { rate } from './report/units.ts';
import { inWorkFolder } from './work-folder.ts';

endTogether();
// With more of them, the usage of each flow another's, counting them in the ledger and its history takes minutes after each trial.
const options = readOptions('flow', tmpdir(), 20_000);
const search = options.quick ? { mostPerSecond: 500, precision: 2 } : { mostPerSecond: 2_000_000, precision: 1.1 };
const say = (line: string) => console.error(line);
installForBench(['nfdump', 'pmacct', 'redis-server'], say);

await inWorkFolder(options.folder, async (folder) => {
  const machine = describeMachine(folder);
  const versions = { nfdump: packageVersion('nfdump'), pmacct: packageVersion('pmacct') };
  const measured: FlowMeasurement[] = [];
  const setups = flowSetups({ ...options, folder }, say).filter(({ name }) => name.includes(options.only));
  for (const setup of setups) {
    try {
      const collector = await setup.start();
      try {
        for (const flowCase of flowCases(options)) {
          const result = await measureFlows(collector, flowCase, { ...options, ...search });
          measured.push(result);
          say(`${setup.name}, ${flowCase.title}: ${rate(result.flowsPerSecond)} flows/s`);
        }
      } finally {
        await collector.close();
      }
    } finally {
      await setup.end();
    }
  }
  const text = `${head(machine, versions, options)}\n\n${flowTable(measured)}`;
  publish('flow', options, { machine, versions, measured }, text);
});
