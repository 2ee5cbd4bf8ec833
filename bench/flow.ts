// `npm run bench:flow`: the highest rate of flows without a loss, beside nfcapd and nfacctd, one after the other on the same cores.
import { tmpdir } from 'node:os';
import { flowCases } from './flow/cases.ts';
import { type FlowMeasurement, measureFlows } from './flow/measure.ts';
import { flowTable } from './flow/report.ts';
import { describeMachine, packageVersion } from './machine/describe.ts';
import { endTogether } from './machine/interrupted.ts';
import { readOptions } from './options.ts';
import { createNfacctd } from './peers/flow/nfacctd.ts';
import { createNfcapd } from './peers/flow/nfcapd.ts';
import { installForBench } from './peers/install.ts';
import { head } from './report/head.ts';
import { publish } from './report/publish.ts';
import { rate } from './report/units.ts';
import { inWorkFolder } from './work-folder.ts';

/** Asked for by every collector; the kernel's net.core.rmem_max may grant less, to all alike. */
const receiveBufferBytes = 8 * 1024 * 1024;

endTogether();
const options = readOptions('flow', tmpdir());
const search = options.quick ? { mostPerSecond: 1000, precision: 2 } : { mostPerSecond: 2_000_000, precision: 1.1 };
const say = (line: string) => console.error(line);
installForBench(['nfdump', 'pmacct'], say);

await inWorkFolder(options.folder, async (folder) => {
  const machine = describeMachine(folder);
  const versions = { nfdump: packageVersion('nfdump'), pmacct: packageVersion('pmacct') };
  const measured: FlowMeasurement[] = [];
  const collectors = [createNfcapd(folder, receiveBufferBytes), createNfacctd(folder, receiveBufferBytes)];
  for (const collector of collectors.filter(({ name }) => name.includes(options.only))) {
    try {
      for (const flowCase of flowCases(options)) {
        const result = await measureFlows(collector, flowCase, { ...options, ...search });
        measured.push(result);
        say(`${collector.name}, ${flowCase.title}: ${rate(result.flowsPerSecond)} flows/s`);
      }
    } finally {
      await collector.close();
    }
  }
  publish(
    'flow',
    options,
    { machine, versions, measured },
    `${head(machine, versions, options)}\n\n${flowTable(measured)}`,
  );
});
