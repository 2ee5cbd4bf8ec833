// What was received from each exporter: summed over workers and nodes, published in Redis, bounded.
import t from 'tap';
import { mergeTraffic } from '#flow-collector/exporters/publish.ts';
import type { SenderTraffic } from '#flow-collector/exporters/traffic.ts';
import { publishExporterTraffic, readExporterTraffic } from '#ops/stores/exporter-traffic.ts';
import { connectRedis } from '#ops/stores/redis.ts';
import { missing } from '#test/support/peers.ts';
import { redisForTest } from '#test/support/redis.ts';

const skip = missing('redis-server');

function traffic(address: string, given: Partial<SenderTraffic> = {}): SenderTraffic {
  return {
    address,
    exporterId: 1,
    tenantId: 1,
    packets: 1,
    records: 25,
    unknownTemplates: 0,
    lateDecoded: 0,
    lost: 0,
    timeClamped: 0,
    unattributed: 0,
    sampled: 0,
    lastSeenMs: 1000,
    countedSinceMs: 500,
    ...given,
  };
}

t.test('the datagrams of an exporter that came to several workers are one exporter’s', async (t) => {
  const merged = mergeTraffic([
    [traffic('192.0.2.1', { packets: 3, lost: 1 }), traffic('192.0.2.2', { packets: 9 })],
    [traffic('192.0.2.1', { packets: 4, lost: 2, lastSeenMs: 2000, countedSinceMs: 100 })],
  ]);
  t.match(merged, [
    { address: '192.0.2.2', packets: 9 },
    { address: '192.0.2.1', packets: 7, records: 50, lost: 3, lastSeenMs: 2000, countedSinceMs: 100 },
  ]);
});

for (const cluster of [false, true]) {
  t.test(`every node publishes its own, readers see the sum${cluster ? ', in a cluster' : ''}`, { skip }, async (t) => {
    const server = await redisForTest(t, { cluster });
    const redis = await connectRedis({ url: server.url, name: 'test' });
    t.teardown(() => redis.disconnect());
    t.equal((await readExporterTraffic(redis)).size, 0);
    await publishExporterTraffic(redis, 'a', [traffic('192.0.2.1'), traffic('2001:db8::1')], 10_000);
    await publishExporterTraffic(redis, 'b', [traffic('192.0.2.1', { packets: 5, lastSeenMs: 9000 })], 10_000);
    const read = await readExporterTraffic(redis);
    t.equal(read.size, 2);
    t.match(read.get('192.0.2.1'), { packets: 6, records: 50, lastSeenMs: 9000, countedSinceMs: 500 });
    await publishExporterTraffic(redis, 'a', [], 20_000);
    t.strictSame([...(await readExporterTraffic(redis)).keys()], ['192.0.2.1'], 'what a node no longer hears is gone');
    await publishExporterTraffic(redis, 'a', [traffic('192.0.2.7')], 4_000_000);
    t.strictSame([...(await readExporterTraffic(redis)).keys()], ['192.0.2.7'], 'and a node that fell silent too');
  });
}
