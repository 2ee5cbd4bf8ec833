// Sources that are no NAS of ours: listed by how much they send, in bounded memory whoever makes up addresses.
import t from 'tap';
import { createUnknownClients, mergeUnknownClients } from '#aaa-server/radius/unknown-clients.ts';

t.test(
  'a million made-up sources take a hundred places, and a device that is really there keeps its own',
  async (t) => {
    const unknown = createUnknownClients();
    const sources = 1_000_000;
    for (let i = 0; i < sources; i++) {
      unknown.note(`${11 + (i >> 20)}.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`, i);
      if (i % 50 === 0) unknown.note('192.0.2.7', i, () => 'new tower');
    }
    const { clients, networks } = unknown.list();
    t.equal(clients.length, 100);
    t.equal(networks.length, 100);
    const device = clients.find(({ address }) => address === '192.0.2.7');
    t.ok(device && device.packets >= 20_000, `counted ${device?.packets} times`);
    t.match(clients[0], { address: '192.0.2.7', network: '192.0.2.0/24' });
    t.ok(networks.some(({ network, packets }) => network === '192.0.2.0/24' && packets >= 20_000));
  },
);

t.test('who makes up addresses of one network fills eight places and no more', async (t) => {
  const unknown = createUnknownClients();
  for (let i = 0; i < 60_000; i++) unknown.note(`198.51.100.${i & 255}`, i);
  for (let i = 0; i < 60_000; i++)
    unknown.note(`2001:db8:0:1:${(i & 0xffff).toString(16)}::${(i >> 4).toString(16)}`, i);
  unknown.note('203.0.113.9', 1, () => 'x'.repeat(253));
  const { clients, networks } = unknown.list();
  t.equal(clients.length, 17);
  t.match(networks, [
    { network: '198.51.100.0/24', packets: 60_000, overcount: 0 },
    { network: '2001:db8:0:1::/64', packets: 60_000, overcount: 0 },
    { network: '203.0.113.0/24', packets: 1 },
  ]);
  t.match(
    clients.find(({ address }) => address === '203.0.113.9'),
    { identifier: 'x'.repeat(64), packets: 1, lastSeenAtMs: 1 },
  );
});

t.test('counts are never too low, and say by how much they may be too high', async (t) => {
  const unknown = createUnknownClients();
  const truth = new Map<string, number>();
  for (let i = 0; i < 50_000; i++) {
    // A few send much, many little.
    const address = `10.${(i * 7919) % 251}.${i % 3 === 0 ? 1 : (i * 104_729) % 251}.1`;
    truth.set(address, (truth.get(address) ?? 0) + 1);
    unknown.note(address, i);
  }
  for (const { address, packets, overcount } of unknown.list().clients) {
    const true_ = truth.get(address) ?? 0;
    t.ok(packets - overcount <= true_, `${address}: ${packets} − ${overcount} ≤ ${true_}`);
  }
});

t.test('the lists of several workers are one', async (t) => {
  const [a, b] = [createUnknownClients(), createUnknownClients()];
  a.note('192.0.2.1', 5, () => 'old name');
  a.note('192.0.2.2', 6);
  b.note('192.0.2.1', 7, () => 'new name');
  b.note('::ffff:192.0.2.1', 8);
  const { clients, networks } = mergeUnknownClients([a.list(), b.list()]);
  t.match(clients[0], { address: '192.0.2.1', packets: 2, lastSeenAtMs: 7, identifier: 'new name' });
  t.equal(clients.length, 3);
  t.match(networks, [{ network: '192.0.2.0/24', packets: 4 }]);
});
