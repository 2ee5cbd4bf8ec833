// A RADIUS worker without its sockets: its handler on a snapshot in LMDB and on a log that is synced, driven with packets in memory.
import path from 'node:path';
import { createAccountingReceiver } from '#aaa-server/accounting/receive.ts';
import { encodeRecord } from '#aaa-server/accounting/record.ts';
import { createCounters, sumOf } from '#aaa-server/counters.ts';
import { createLoginLog } from '#aaa-server/login-log/log.ts';
import { createAnswerLogin } from '#aaa-server/radius/answer-login.ts';
import { createRadiusHandler } from '#aaa-server/radius/handler.ts';
import { createRandomOctets } from '#aaa-server/radius/random-octets.ts';
import { createRememberedLogins } from '#aaa-server/radius/remembered-logins.ts';
import type { RadiusPort } from '#aaa-server/radius/request.ts';
import { createRadiusServer, type RadiusServer } from '#aaa-server/radius/server.ts';
import { createTrust } from '#aaa-server/radius/trust.ts';
import { openSnapshotReader, type ReaderOptions } from '#aaa-server/subscribers/reader.ts';
import { systemClock } from '#ops/runtime/clock.ts';
import type { Keyring } from '#ops/runtime/keyring.ts';
import type { Peer, UdpBatch, UdpDriver, UdpSocket } from '#ops/runtime/udp.ts';
import { openWal } from '#ops/wal/wal.ts';
import type { PacketStore } from '../load/packet-store.ts';

/** As many as the driver hands over at once, and so many batches before the event loop goes on. */
const batchSize = 32;
const batchesPerTurn = 8;
const firstPort = 40_000;

export type BareWorker = {
  /** Sends every packet of the store once, line after line in turn, and waits for the last answer; answers how many were answered well. */
  drive(port: RadiusPort, packets: PacketStore, sockets: number): Promise<number>;
  /** The same behind sockets; answers how to close them. */
  listen(driver: UdpDriver): Promise<RadiusServer>;
  close(): Promise<void>;
};

/** `changes`: where `writeSubscribers` marked what it wrote; without it no login is remembered. */
export async function openBareWorker(
  folder: string,
  snapshotPath: string,
  keyring: Keyring,
  changes?: Required<ReaderOptions>['changes'],
): Promise<BareWorker> {
  const snapshot = openSnapshotReader({ path: snapshotPath, marksStandMs: 5, ...(changes ? { changes } : {}) });
  const wal = await openWal({ folder: path.join(folder, 'wal') });
  const counters = createCounters();
  const classKey = keyring.derive('class');
  const answers = {
    snapshot,
    classKey,
    feedSilence: { toleratedMs: 900_000, extraGraceMs: 86_400_000 },
    random: Math.random,
    uuid: createRandomOctets(16),
  };
  // As a worker has it by default; its rows go nowhere.
  const loginLog = createLoginLog({
    ...{ snapshot, clock: systemClock, node: 'bench', worker: 0, acceptsPerSecond: 200, rejectsPerSecond: 1000 },
    send: () => {},
  });
  await loginLog.start();
  const handler = createRadiusHandler({
    snapshot,
    keyring,
    clock: systemClock,
    counters,
    loginLog,
    rejectDelayMs: 0,
    trust: createTrust({ windowMs: 0, nowMs: systemClock.nowMs, onLearned: () => {} }),
    crypt: 'not measured',
    eap: { node: 'bench', worker: 0, workers: 1, makers: [] },
    handOver: () => {},
    authorize: createAnswerLogin({ ...answers, clock: systemClock }),
    remembered: createRememberedLogins({ ...answers, counters }),
    receiveAccounting: createAccountingReceiver({ snapshot, classKey }),
    append: (record) => wal.append(encodeRecord(record)),
    later: (callback, ms) => void setTimeout(callback, ms),
    warn: (message, fields) => console.error(message, fields),
  });
  const out = Buffer.alloc(4096);
  const keep = (data: Buffer, start: number, length: number) => void data.copy(out, 0, start, start + length);
  const socket: UdpSocket = { address: '127.0.0.1', port: 1812, index: 0, send: (_peer, ...reply) => keep(...reply) };
  const answered = () =>
    sumOf([counters.array], 'replies', 'access_accept') + sumOf([counters.array], 'replies', 'accounting_response');

  return {
    async drive(port, { data, starts, lines, perLine }, sockets) {
      const before = answered();
      const senders: Peer[] = Array.from({ length: sockets }, (_, i) => ({
        address: '127.0.0.1',
        port: firstPort + i,
      }));
      const batch = {
        count: 0,
        data: new Array<Buffer>(batchSize).fill(data),
        starts: new Int32Array(batchSize),
        lengths: new Int32Array(batchSize),
        peers: new Array<Peer>(batchSize),
        reply: (_i: number, ...reply: [Buffer, number, number]) => keep(...reply),
      } satisfies UdpBatch;
      let batches = 0;
      for (let round = 0; round < perLine; round++) {
        for (let line = 0; line < lines; line++) {
          const packet = line * perLine + round;
          const at = batch.count++;
          batch.starts[at] = starts[packet] as number;
          batch.lengths[at] = (starts[packet + 1] as number) - (starts[packet] as number);
          batch.peers[at] = senders[line % sockets] as Peer;
          if (batch.count < batchSize) continue;
          handler.handleBatch(port, batch, socket, port === 'auth' ? 0 : 1);
          batch.count = 0;
          if (++batches % batchesPerTurn === 0) await new Promise(setImmediate);
        }
      }
      await handler.drain();
      return answered() - before;
    },
    async listen(udpDriver) {
      const server = createRadiusServer({
        addresses: ['127.0.0.1'],
        authPort: 0,
        acctPort: 0,
        udpDriver,
        receiveBufferBytes: 1024 * 1024,
        handler,
        counters,
        warn: (message, fields) => console.error(message, fields),
        onFatal: (error) => {
          throw error;
        },
      });
      await server.start();
      return server;
    },
    async close() {
      await loginLog.stop();
      await wal.close();
      await snapshot.close();
    },
  };
}
