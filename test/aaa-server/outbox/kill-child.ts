// A shipper in a process of its own, until it is killed.
import { createClickHouse } from '#ops/stores/clickhouse.ts';
import { connectRedis } from '#ops/stores/redis.ts';
import { shipperFor } from './harness.ts';

const [redisUrl = '', clickhouseUrl = '', folder = ''] = process.argv.slice(2);
const redis = await connectRedis({ url: redisUrl, name: 'kill-child' });
const { shipper } = shipperFor(redis, createClickHouse(clickhouseUrl), folder, { batchRows: 300, everyMs: 5 });
await shipper.start();
process.stdout.write('started\n');
