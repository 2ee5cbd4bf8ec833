// Answers every request with its own octets and the code of agreement, by the servers' own driver: what the generator can reach at most.
import { openUdp } from '#ops/runtime/udp.ts';

const accessRequest = 1;
const accept = 2;
const accountingResponse = 5;

await openUdp({
  ...{ driver: 'auto', addresses: ['127.0.0.1'], port: Number(process.argv[2]), reusePort: false },
  receiveBufferBytes: 4 * 1024 * 1024,
  onBatch(batch) {
    for (let i = 0; i < batch.count; i++) {
      const data = batch.data[i] as Buffer;
      const start = batch.starts[i] ?? 0;
      data[start] = data[start] === accessRequest ? accept : accountingResponse;
      batch.reply(i, data, start, batch.lengths[i] ?? 0);
    }
  },
  count: () => undefined,
  warn: (message) => console.error(message),
  onFatal(error) {
    throw error;
  },
});
process.send?.('listening');
process.on('disconnect', () => process.exit());
