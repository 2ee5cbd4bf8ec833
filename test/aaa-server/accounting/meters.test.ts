// The ledger hears of a switch of the meter, also when it was away.
import t from 'tap';
import { createCallMaker } from '#aaa-server/accounting/call.ts';
import { createMeters } from '#aaa-server/accounting/meters.ts';
import type { Meter, Subscriber } from '#policy/ledger/types.ts';
import { createIsp } from '#test/aaa-server/support/isp.ts';
import { until } from '#test/support/wait.ts';
import { noonMs, recordOf, silent } from './records.ts';

const tenantId = 1;
type Told = [id: number, meter: Meter, sinceMs: number | null];

function ledgerThatFails(times: number) {
  const told: Told[] = [];
  let left = times;
  return {
    told,
    async setMeter({ subscriptionId }: Subscriber, meter: Meter, sinceMs: number | null) {
      if (left-- > 0) throw new Error('Connection is closed.');
      told.push([subscriptionId, meter, sinceMs]);
    },
  };
}

t.test('a switch is told; RADIUS since ever is nothing to tell', async (t) => {
  const isp = createIsp();
  const plain = isp.addSubscriber('anna', 'x');
  const switched = isp.addSubscriber('bert', 'x', { meter: 'radius', meterSinceMs: noonMs });
  const flow = isp.addSubscriber('cora', 'x', { meter: 'flow' });
  const ledger = ledgerThatFails(0);
  const meters = createMeters({ ledger, snapshot: isp.snapshot, log: silent });
  await meters.start();
  for (const id of [plain, switched, flow, 999]) meters.changed(tenantId, id);
  await until(() => ledger.told.length === 2, 'both are told');
  t.strictSame(ledger.told, [
    [switched, 'radius', noonMs],
    [flow, 'flow', null],
  ]);
  await meters.stop();
  meters.changed(tenantId, flow);
  t.equal(ledger.told.length, 2);
});

t.test('a ledger that is away is told later, what holds by then', async (t) => {
  const isp = createIsp();
  const id = isp.addSubscriber('anna', 'x', { meter: 'flow', meterSinceMs: noonMs });
  const ledger = ledgerThatFails(3);
  const meters = createMeters({ ledger, snapshot: isp.snapshot, log: silent, retryMs: 5 });
  meters.changed(tenantId, id);
  isp.changeSubscription(id, { meter: 'radius', meterSinceMs: noonMs + 86_400_000 });
  await until(() => ledger.told.length === 1, 'it is told');
  t.strictSame(ledger.told, [[id, 'radius', noonMs + 86_400_000]]);
  await meters.stop();
});

t.test('accounting calls carry the meter of the snapshot', async (t) => {
  const isp = createIsp();
  const id = isp.addSubscriber('anna', 'x', { meter: 'flow', meterSinceMs: noonMs });
  const calls = createCallMaker(isp.snapshot);
  const lane = { walId: 'w', previous: 0, position: 1, generation: 1 };
  t.match(calls.make(lane, { ...recordOf(id), tenantId }), { meter: 'flow', meterSinceMs: noonMs });
  t.match(calls.make(lane, { ...recordOf(999), tenantId }), { meter: 'radius', meterSinceMs: null });
});
