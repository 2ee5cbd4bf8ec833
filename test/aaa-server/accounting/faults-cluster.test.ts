// The faults of Redis once more, with the ledger in a cluster of three primaries.
import t from 'tap';
import { redisForTest } from '#test/support/redis.ts';
import { testFaults } from './faults.ts';

// Servers stop and come back: waiting for them takes its time.
t.setTimeout(90_000);

t.test('counters are exact in a cluster', { timeout: 90_000 }, async (t) => {
  await testFaults(t, await redisForTest(t, { cluster: true, config: { 'enable-debug-command': 'local' } }));
});
