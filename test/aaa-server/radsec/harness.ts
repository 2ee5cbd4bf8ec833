// A RadSec server of one worker in this thread, in front of the real handler, over a small ISP in memory.
import { randomUUID } from 'node:crypto';
import { createAccountingReceiver } from '#aaa-server/accounting/receive.ts';
import { type CounterFamily, type CounterValue, createCounters, sumOf } from '#aaa-server/counters.ts';
import { createAnswerLogin } from '#aaa-server/radius/answer-login.ts';
import { createRadiusHandler } from '#aaa-server/radius/handler.ts';
import type { RadsecLimits, RadsecWords, TlsMaterial } from '#aaa-server/radsec/protocol.ts';
import { createRadsecServer } from '#aaa-server/radsec/server.ts';
import { systemClock } from '#ops/runtime/clock.ts';
import { Registry } from '#ops/runtime/metrics.ts';
import type { AccountingRecord } from '#policy/ledger/types.ts';
import { until } from '#test/support/wait.ts';
import { createIsp, keyring, nasOf } from '../support/isp.ts';

type Teardown = { teardown(handler: () => unknown): unknown };

export type ServerOptions = {
  material: TlsMaterial;
  limits?: Partial<RadsecLimits>;
  version11?: boolean;
  rejectDelayMs?: number;
};

export const generous: RadsecLimits = {
  connections: 100,
  perAddress: 100,
  handshakeMs: 10_000,
  idleMs: 900_000,
  packetMs: 30_000,
  unreadBytes: 256 * 1024,
};

export async function startServer(t: Teardown, options: ServerOptions) {
  const isp = createIsp();
  isp.addSubscriber('alice', 'wonderland');
  isp.setNases([nasOf({ address: '192.0.2.1/32', messageAuthenticator: 'yes', radsecIdentity: 'dns:tower' })]);
  const counters = createCounters();
  const classKey = keyring.derive('class');
  const records: AccountingRecord[] = [];
  const words: RadsecWords[] = [];
  const warnings: { message: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const clock = { ...systemClock, aheadMs: 0, monotonicMs: () => systemClock.monotonicMs() + clock.aheadMs };
  const state = { disk: Promise.resolve() as Promise<void> };
  const warn = (message: string, fields: Readonly<Record<string, unknown>>) => void warnings.push({ message, fields });
  const handler = createRadiusHandler({
    ...{ snapshot: isp.snapshot, keyring, clock, counters, warn },
    rejectDelayMs: options.rejectDelayMs ?? 0,
    crypt: 'not in this test',
    eap: { node: 'node', worker: 0, workers: 1, makers: [] },
    handOver: () => undefined,
    authorize: createAnswerLogin({
      ...{ snapshot: isp.snapshot, clock, classKey },
      feedSilence: { toleratedMs: 900_000, extraGraceMs: 0 },
      random: () => 0.5,
      uuid: () => randomUUID().replaceAll('-', ''),
    }),
    receiveAccounting: createAccountingReceiver({ snapshot: isp.snapshot, classKey }),
    append: async (record) => {
      records.push(record);
      await state.disk;
    },
    later: (callback, ms) => void setTimeout(callback, ms),
  });
  const server = createRadsecServer({
    ...{ handler, counters, clock, warn, snapshot: isp.snapshot, registry: new Registry() },
    ...{ addresses: ['127.0.0.1'], port: 0, reusePort: false, version11: options.version11 ?? false },
    material: options.material,
    limits: { ...generous, ...options.limits },
    open: new SharedArrayBuffer(4),
    tell: (said) => void words.push(said),
    onFatal: (error) => {
      throw error;
    },
  });
  await server.start();
  t.teardown(() => server.stop());
  const counted = <F extends CounterFamily>(family: F, value: CounterValue<F>) =>
    sumOf([counters.array], family, value);
  return {
    ...{ isp, server, handler, records, words, warnings, clock, state, counted },
    port: server.port(),
    /** Waits until a counter has that value. */
    counts: <F extends CounterFamily>(family: F, value: CounterValue<F>, expected = 1) =>
      until(
        () => counted(family, value) === expected,
        () => `${value} is ${expected}, it is ${counted(family, value)}`,
        15_000,
      ),
  };
}
