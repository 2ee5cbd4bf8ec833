// nfacctd of Debian's pmacct: adds flows up by source address in memory and prints the sums at the end.
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '#ops/stores/embedded/ports.ts';
import type { Collected, FlowCollector } from '../../flow/collector.ts';
import { oneCore } from '../../machine/placement.ts';
import { startCollector } from './child.ts';

const configuration = path.join(import.meta.dirname, 'nfacctd.conf');

export function createNfacctd(folder: string, bufferBytes: number): FlowCollector {
  return {
    name: 'nfacctd',
    does: 'adds up by source address, in memory',
    placement: oneCore(),
    async begin() {
      mkdirSync(folder, { recursive: true });
      const own = mkdtempSync(path.join(folder, 'nfacctd-'));
      const port = await freePort();
      const output = path.join(own, 'usage.csv');
      const values: Readonly<Record<string, string>> = {
        port: String(port),
        receive_buffer: String(bufferBytes),
        output,
      };
      const text = readFileSync(configuration, 'utf8').replaceAll(/@(\w+)@/g, (_, name) => values[name] ?? '');
      const file = path.join(own, 'nfacctd.conf');
      writeFileSync(file, text);
      const child = await startCollector({
        command: 'nfacctd',
        args: ['-f', file],
        port,
        signal: 'SIGINT',
        started: 'cache entries',
      });
      return {
        port,
        settled: child.settled,
        async end() {
          await child.end();
          const collected = existsSync(output) ? await sumOf(output) : { flows: 0, flowBytes: 0 };
          rmSync(own, { recursive: true, force: true });
          return collected;
        },
      };
    },
    close: async () => undefined,
  };
}

/** Lines `SRC_IP,PACKETS,FLOWS,BYTES`, in the order that the first line tells. */
async function sumOf(output: string): Promise<Collected> {
  let names: string[] = [];
  let flows = 0;
  let flowBytes = 0;
  for await (const line of createInterface({ input: createReadStream(output) })) {
    const values = line.split(',');
    if (names.length === 0) {
      names = values;
      continue;
    }
    flows += Number(values[names.indexOf('FLOWS')]);
    flowBytes += Number(values[names.indexOf('BYTES')]);
  }
  return { flows, flowBytes };
}
