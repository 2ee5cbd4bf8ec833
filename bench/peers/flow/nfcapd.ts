// nfcapd of Debian's nfdump: decodes and writes every flow to files, nothing else. Its files are read back by nfdump.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { freePort } from '#ops/stores/embedded/ports.ts';
import type { FlowCollector } from '../../flow/collector.ts';
import { oneCore } from '../../machine/placement.ts';
import { startCollector } from './child.ts';

export function createNfcapd(folder: string, bufferBytes: number): FlowCollector {
  return {
    name: 'nfcapd',
    does: 'writes each flow to a file, uncompressed',
    placement: oneCore(),
    async begin() {
      mkdirSync(folder, { recursive: true });
      const own = mkdtempSync(path.join(folder, 'nfcapd-'));
      const port = await freePort();
      const address = ['-b', '127.0.0.1', '-p', String(port)];
      // It rotates when it ends; in between the interval is longer than any trial.
      const args = [...address, '-w', own, '-B', String(bufferBytes), '-t', '3600'];
      const child = await startCollector({ command: 'nfcapd', args, port, signal: 'SIGTERM', started: 'Startup' });
      return {
        port,
        settled: child.settled,
        async end() {
          await child.end();
          const { status, stdout, stderr } = spawnSync('nfdump', ['-R', own, '-I'], { encoding: 'utf8' });
          rmSync(own, { recursive: true, force: true });
          if (status !== 0) throw new Error(`nfdump cannot read what nfcapd wrote: ${stderr}`);
          return { flows: statistic(stdout, 'Flows'), flowBytes: statistic(stdout, 'Bytes') };
        },
      };
    },
    close: async () => undefined,
  };
}

/** Sum over the files: `Flows: 1234` is a line of the statistics of each. */
function statistic(text: string, name: string): number {
  const values = [...text.matchAll(new RegExp(`^${name}: (\\d+)$`, 'gm'))].map(([, digits]) => Number(digits));
  return values.reduce((sum, value) => sum + value, 0);
}
