// The parts of the proxy by themselves: realms in names, the mark against loops, the choice of a home server, its health, what replies may bring.
import t from 'tap';
import { loadDictionary } from '#aaa-server/dictionaries/load.ts';
import { createAllowList } from '#aaa-server/proxy/allow-list.ts';
import { allowedAttribute } from '#aaa-server/proxy/allowed-attribute.ts';
import { inTurn } from '#aaa-server/proxy/choose.ts';
import { createHealth, type ServerState, usualTimings } from '#aaa-server/proxy/health.ts';
import type { HomePort } from '#aaa-server/proxy/home-port.ts';
import { createMark } from '#aaa-server/proxy/mark.ts';
import { realmsByTenant } from '#aaa-server/proxy/realms.ts';
import { translateReply } from '#aaa-server/proxy/replies.ts';
import { attribute, vendor } from '#aaa-server/wire/attributes.ts';
import { createPacketBuilder, type PacketBuilder } from '#aaa-server/wire/encode.ts';
import { createSecret } from '#aaa-server/wire/md5.ts';
import { code, decodePacket, type Packet } from '#aaa-server/wire/packet.ts';
import { createSalts, hideSalted, revealSalted } from '#aaa-server/wire/salted.ts';
import { hidePassword, revealPassword } from '#aaa-server/wire/user-password.ts';
import { isOwnListener } from '#ops/runtime/own-listeners.ts';
import { realm } from './harness.ts';

function packetOf(packetCode: number, add: (builder: PacketBuilder) => void): Packet {
  const builder = createPacketBuilder();
  builder.begin(packetCode, 1);
  add(builder);
  if (!builder.finishRequest(createSecret(Buffer.from('s')))) throw new Error('does not fit');
  const packet = decodePacket(Buffer.from(builder.data.subarray(0, builder.length())));
  if (!packet.ok) throw new Error(packet.reason);
  return packet;
}

t.test('a name belongs to the realm behind its last @, or before its first backslash, in any case', async (t) => {
  const tenant = realmsByTenant([
    {
      ...{ tenantId: 1, id: 1, homeServers: [], copies: [] },
      realms: [realm(1, 'partner.example', [1]), realm(2, 'corp', [1])],
    },
  ]).get(1)!;
  const found = (name: string) => {
    const to = tenant.find(name);
    return to && `${to.realm.record.name} ${to.user}`;
  };
  t.equal(found('bob@partner.example'), 'partner.example bob');
  t.equal(found('bob@PARTNER.Example'), 'partner.example bob');
  t.equal(found('bob@home@partner.example'), 'partner.example bob@home');
  t.equal(found('CORP\\bob'), 'corp bob');
  t.equal(found('CORP\\bob@partner.example'), 'partner.example CORP\\bob');
  t.equal(found('corp\\bob@other.example'), 'corp bob@other.example', 'the part behind the @ is no realm of ours');
  for (const name of ['bob', 'bob@', '@', '', '\\bob', 'bob@other.example', 'partner.example'])
    t.equal(found(name), undefined);
  const withDefault = realmsByTenant([
    {
      ...{ tenantId: 1, id: 1, homeServers: [], copies: [] },
      realms: [realm(1, 'ours', [], { authentication: 'local' }), realm(2, 'default', [1])],
    },
  ]).get(1)!;
  t.equal(withDefault.find('bob@anything')?.realm.record.id, 2);
  t.equal(withDefault.find('bob@ours')?.realm.record.id, 1);
  t.equal(withDefault.find('bob@default')?.realm.record.id, 2);
  t.equal(withDefault.find('bob'), undefined, 'a name without a realm is ours');
});

t.test(
  'a request that went through this node before is not forwarded again, nor one that went through too many',
  async (t) => {
    const [ours, sibling, theirs] = [createMark('us', 0), createMark('us', 3), createMark('them', 0)];
    const through = (...states: Buffer[]) =>
      packetOf(code.accessRequest, (builder) => {
        for (const state of states) builder.add(attribute.proxyState, state);
      });
    t.equal(ours.whyNot(through(), 1), null);
    t.equal(ours.whyNot(through(theirs.of(1), Buffer.from('x')), 1), null);
    t.equal(ours.whyNot(through(Buffer.from('x'), sibling.of(1), theirs.of(1)), 1), 'proxy_loop');
    t.equal(ours.whyNot(through(ours.of(2)), 1), null, 'from one tenant to another of the same node is no loop');
    t.equal(ours.whyNot(through(ours.of(2), ours.of(1)), 2), 'proxy_loop');
    const nine = Array.from({ length: 9 }, () => theirs.of(1));
    t.equal(ours.whyNot(through(...nine), 1), null);
    t.equal(ours.whyNot(through(...nine, theirs.of(1)), 1), 'proxy_too_many_hops');
  },
);

t.test(
  'those alive are asked before zombies, the dead never; spread, a subscriber stays with his server',
  async (t) => {
    const port = (id: number, state: ServerState) => ({ server: { id }, state: () => state }) as unknown as HomePort;
    const ids = (ports: HomePort[]) => ports.map(({ server }) => server.id);
    const [one, two, three] = [port(1, 'zombie'), port(2, 'alive'), port(3, 'dead')];
    t.strictSame(ids(inTurn([one, two, three], 'order', () => '')), [2, 1]);
    const alive = [1, 2, 3, 4].map((id) => port(id, 'alive'));
    const firsts = Array.from({ length: 4000 }, (_, n) => ids(inTurn(alive, 'spread', () => `user${n}`))[0]!);
    for (const id of [1, 2, 3, 4]) {
      const share = firsts.filter((first) => first === id).length;
      t.ok(share > 850 && share < 1150, `server ${id} has ${share} of 4000`);
    }
    const without = alive.map((one) => (one.server.id === 2 ? port(2, 'dead') : one));
    firsts.forEach((first, n) => {
      const now = ids(inTurn(without, 'spread', () => `user${n}`))[0];
      if (first !== 2 && now !== first) t.fail(`user${n} moved although his server is alive`);
    });
  },
);

function healthOf(check: 'status_server' | 'none') {
  const states: ServerState[] = [];
  let nowMs = 0;
  let timers: { atMs: number; callback: () => void }[] = [];
  const probes: ((answered: boolean) => void)[] = [];
  const health = createHealth({
    ...{ check, timings: usualTimings, monotonicMs: () => nowMs },
    after(ms, callback) {
      const timer = { atMs: nowMs + ms, callback };
      timers.push(timer);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
    probe: (done) => probes.push(done),
    onState: (state) => states.push(state),
  });
  const pass = (ms: number) => {
    const untilMs = nowMs + ms;
    for (;;) {
      const [next] = timers.toSorted((a, b) => a.atMs - b.atMs);
      if (!next || next.atMs > untilMs) break;
      timers = timers.filter((one) => one !== next);
      nowMs = next.atMs;
      next.callback();
    }
    nowMs = untilMs;
  };
  return { health, states, probes, pass, answer: (answered: boolean) => probes.shift()?.(answered), now: () => nowMs };
}

t.test('a home server that is silent is a zombie, then dead, and back after three answers', async (t) => {
  const { health, states, probes, pass, answer, now } = healthOf('status_server');
  pass(1000);
  health.heard();
  health.silent(500);
  t.equal(health.state(), 'alive', 'something came after that request');
  pass(1000);
  health.silent(1500);
  t.equal(health.state(), 'zombie');
  t.equal(probes.length, 1, 'it is asked at once');
  health.heard();
  t.equal(health.state(), 'alive', 'any reply brings a zombie back');
  answer(false);
  pass(60_000);
  t.equal(probes.length, 0, 'and nobody asks any more');

  health.silent(now());
  for (let asked = 0; asked < 10 && health.state() === 'zombie'; asked++) {
    answer(false);
    pass(usualTimings.probeEveryMs);
  }
  t.equal(health.state(), 'dead');
  health.heard();
  t.equal(health.state(), 'dead', 'one reply does not bring back the dead');
  for (const answered of [true, true, false, true, true]) {
    answer(answered);
    pass(usualTimings.probeEveryMs);
  }
  t.equal(health.state(), 'dead', 'not three in a row yet');
  answer(true);
  t.equal(health.state(), 'alive');
  t.strictSame(states, ['zombie', 'alive', 'zombie', 'dead', 'alive']);
});

t.test('without Status-Server a dead home server is tried again after a minute', async (t) => {
  const { health, probes, pass, now } = healthOf('none');
  health.silent(now());
  pass(usualTimings.deadAfterMs);
  t.equal(health.state(), 'dead');
  pass(usualTimings.reviveMs - 1);
  t.equal(health.state(), 'dead');
  pass(1);
  t.equal(health.state(), 'alive');
  t.equal(probes.length, 0);
  health.stop();
  health.silent(now() + 1);
  t.equal(health.state(), 'alive', 'stopped, it changes no more');
});

t.test('hidden values are hidden anew, and what a realm does not let through is left out', async (t) => {
  const home = { secret: createSecret(Buffer.from('home')), data: Buffer.alloc(20, 7), start: 0 };
  const nas = { secret: createSecret(Buffer.from('nas')), data: Buffer.alloc(40, 9), start: 20 };
  const salts = createSalts(() => 0);
  const key = Buffer.alloc(32, 0xab);
  const reply = (packetCode: number) =>
    packetOf(packetCode, (builder) => {
      builder.add(attribute.framedIpAddress, 0xc000_0201);
      builder.add(attribute.serviceType, 6);
      builder.add(attribute.serviceType, 2);
      builder.add(attribute.filterId, 'all');
      builder.add(attribute.replyMessage, 'hi');
      builder.add(attribute.proxyState, 'x');
      builder.add(
        attribute.tunnelPassword,
        Buffer.concat([Buffer.of(3), hideSalted(Buffer.from('deep'), home.secret, home.data, 4, 1)]),
      );
      builder.addVendor(vendor.microsoft, 16, hideSalted(key, home.secret, home.data, 4, 2));
      builder.addVendor(
        vendor.microsoft,
        12,
        hidePassword(Buffer.concat([key.subarray(0, 24), Buffer.alloc(8)]), home.secret, home.data, 4),
      );
      builder.addVendor(vendor.microsoft, 17, Buffer.from('not hidden at all'));
      builder.addVendor(vendor.mikrotik, 8, '1M/1M');
      builder.add(attribute.vendorSpecific, Buffer.from('0000000901', 'hex'));
    });
  const names = (packetCode: number, list: Parameters<typeof createAllowList>[0]) =>
    translateReply(reply(packetCode), createAllowList(list), home, nas, salts).attributes.map(
      ({ vendor, type }) => `${vendor}/${type}`,
    );
  t.strictSame(names(code.accessAccept, null), ['0/8', '0/6', '0/18', '311/16', '311/12']);
  t.strictSame(names(code.accessReject, null), ['0/18', '311/16', '311/12']);
  const dictionary = loadDictionary();
  const listed = ['Tunnel-Password', 'Mikrotik-Rate-Limit', 'Filter-Id'].map((name) => {
    const found = allowedAttribute(dictionary, name);
    if ('problem' in found) throw new Error(found.problem);
    return found;
  });
  t.strictSame(names(code.accessAccept, listed), ['0/11', '0/18', '0/69', '311/16', '311/12', '14988/8']);
  t.match(allowedAttribute(dictionary, 'Nonsense'), { problem: 'is in no dictionary' });

  const { attributes, leftOut } = translateReply(reply(code.accessAccept), createAllowList(listed), home, nas, salts);
  t.equal(leftOut, 5, 'address, two services, a key that is none, a Vendor-Specific of no usual form');
  const value = (wanted: string) =>
    attributes.find(({ vendor, type }) => `${vendor}/${type}` === wanted)?.value as Buffer;
  t.equal(value('0/69')[0], 3, 'the tag');
  t.equal(revealSalted(value('0/69').subarray(1), nas.secret, nas.data, 24)?.toString(), 'deep');
  t.ok(revealSalted(value('311/16'), nas.secret, nas.data, 24)?.equals(key));
  t.equal(value('311/12').length, 32);
  t.ok(revealPassword(value('311/12'), nas.secret, nas.data, 24)?.equals(key.subarray(0, 24)));
});

t.test('our own listeners are known in any spelling', async (t) => {
  const own = { addresses: ['192.0.2.1', '2001:db8::1'], ports: [1812, 1813] };
  t.ok(isOwnListener(own, '192.0.2.1', 1812, {}));
  t.ok(isOwnListener(own, '2001:DB8:0::1', 1813, {}));
  t.notOk(isOwnListener(own, '192.0.2.1', 1645, {}));
  t.notOk(isOwnListener(own, '192.0.2.2', 1812, {}));
  const interfaces = { eth0: [{ address: '198.51.100.7', family: 'IPv4' }] } as never;
  const wildcard = { addresses: ['0.0.0.0'], ports: [1812] };
  t.ok(isOwnListener(wildcard, '198.51.100.7', 1812, interfaces));
  t.ok(isOwnListener(wildcard, '127.0.0.9', 1812, {}));
  t.notOk(isOwnListener(wildcard, '198.51.100.8', 1812, interfaces));
});
