// A process of its own that keeps records, prints every acknowledged one, and applies them, until it is killed.

import { connectRedis } from '#ops/stores/redis.ts';
import { createLedger } from '#policy/ledger/ledger.ts';
import { openAccounting } from './accounting.ts';
import { newMetrics, plainCalls, recordOf, silent } from './records.ts';

const [folder = '', url = '', first = '0'] = process.argv.slice(2);
const ledger = createLedger(await connectRedis({ url, name: 'test' }));
await ledger.load();
const accounting = await openAccounting({
  folder,
  ledger,
  calls: plainCalls,
  metrics: newMetrics(),
  log: silent,
  onEvents: () => {},
  segmentBytes: 200_000,
});
await accounting.start();
let next = Number(first);
async function client(): Promise<never> {
  for (;;) {
    const own = next++;
    const nowMs = Date.now();
    await accounting.append(
      recordOf((own % 20) + 1, {
        sessionId: `short-${own}`,
        classUuid: own.toString(16).padStart(32, '0'),
        upOctets: own + 1,
        downOctets: 0,
        sessionTimeS: null,
        eventAtMs: nowMs,
        receivedAtMs: nowMs,
      }),
    );
    process.stdout.write(`${own}\n`);
  }
}
await Promise.all(Array.from({ length: 20 }, client));
