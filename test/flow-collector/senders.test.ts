// Which senders are remembered: the operator's exporters always, strangers in a bounded number.
import t from 'tap';
import { createSenders, hasSpoken, type Sender } from '#flow-collector/exporters/senders.ts';
import { type ExporterSetting, noExporters } from '#flow-collector/exporters/settings.ts';
import { createTenantLookup } from '#flow-collector/exporters/tenants.ts';
import { count } from '#flow-collector/wire/counts.ts';
import { parseAddress } from '#ops/runtime/ip.ts';

const setting = (address: string, given: Partial<ExporterSetting> = {}): ExporterSetting => ({
  tenantId: 3,
  id: 5,
  address,
  role: 'edge',
  samplingRate: 100,
  countDirection: 'egress',
  totalsAreDeltas: true,
  ...given,
});

function open(settings = noExporters, mostStrangers = 10) {
  const forgotten: Sender[] = [];
  const senders = createSenders({
    settings,
    tenantNumber: (id) => id,
    onForgotten: (sender) => forgotten.push(sender),
    mostStrangers,
  });
  return { senders, forgotten };
}

t.test('an exporter is what the operator says, and follows when that changes', async (t) => {
  const { senders } = open({ exporters: [setting('192.0.2.1')], prefixes: [] });
  const sender = senders.find('192.0.2.1', 0)!;
  t.match(sender, { tenantId: 3, exporterId: 5, countsUsage: true, countDirection: 'egress' });
  t.match(sender.exporter, { known: true, samplingRate: 100, totalsAreDeltas: true });
  t.strictSame([...sender.exporterWords], [0, 0, 0xffff, 0xc0000201]);
  t.equal(senders.find('192.0.2.1', 1), sender, 'the same object');
  t.equal(senders.byIndex(sender.exporter.index), sender);
  senders.configure({
    exporters: [setting('192.0.2.1', { role: 'core', tenantId: 4, samplingRate: null })],
    prefixes: [],
  });
  t.match(sender, { tenantId: 4, countsUsage: false, exporter: { samplingRate: null } });
  senders.configure(noExporters);
  t.match(sender, { tenantId: 0, exporterId: 0, countsUsage: false, exporter: { known: false } });
  t.strictSame([...senders.find('2001:db8::1', 0)!.exporterWords], [0x20010db8, 0, 0, 1]);
});

t.test('strangers are bounded: one that was silent for long gives way, exporters are never refused', async (t) => {
  const { senders, forgotten } = open({ exporters: [setting('192.0.2.99')], prefixes: [] }, 10);
  for (let i = 0; i < 10; i++) t.ok(senders.find(`10.0.0.${i}`, 1000 * i));
  t.notOk(senders.find('10.0.1.1', 10_000));
  t.ok(senders.find('192.0.2.99', 10_000), 'an exporter');
  const [first] = [...senders.all()];
  senders.find('10.0.0.1', 0)!.lastSeenMs = 500_000;
  const later = senders.find('10.0.1.1', 604_000);
  t.ok(later, 'after ten minutes of silence of others');
  t.equal(forgotten.length, 4);
  t.equal(forgotten[0], first);
  t.notOk(senders.byIndex(99));
  t.ok([...senders.all()].length <= 11);
  for (let i = 0; i < 100_000; i++) senders.find(`11.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 605_000);
  t.equal([...senders.all()].length, 11, 'a hundred thousand invented senders later');
  t.notOk(senders.find('no address', 0));
});

t.test('a sender has spoken when a datagram of it could be read', async (t) => {
  const { senders } = open();
  const sender = senders.find('10.0.0.1', 0)!;
  t.notOk(hasSpoken(sender));
  count(sender.exporter.counts, 'packets');
  count(sender.exporter.counts, 'too_short');
  t.notOk(hasSpoken(sender));
  count(sender.exporter.counts, 'packets');
  t.ok(hasSpoken(sender));
});

t.test('the tenant of a sender is that of the longest prefix of access servers, when it is one', async (t) => {
  const tenantOf = createTenantLookup([
    { tenantId: 1, prefix: '10.0.0.0/8' },
    { tenantId: 2, prefix: '10.1.0.0/16' },
    { tenantId: 1, prefix: '10.2.0.1/32' },
    { tenantId: 2, prefix: '10.2.0.1/32' },
    { tenantId: 1, prefix: '10.2.0.1/32' },
    { tenantId: 3, prefix: '2001:db8::/32' },
    { tenantId: 9, prefix: 'nonsense' },
  ]);
  const of = (text: string) => tenantOf(parseAddress(text)!);
  t.equal(of('10.0.0.1'), 1);
  t.equal(of('10.1.0.1'), 2);
  t.equal(of('10.2.0.1'), undefined, 'of two tenants: of none');
  t.equal(of('10.2.0.2'), 1);
  t.equal(of('11.0.0.1'), undefined);
  t.equal(of('2001:db8:1::1'), 3);
});
