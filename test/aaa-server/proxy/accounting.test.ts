// Accounting that is forwarded and copied: on disk before it is answered, in order per session, through restarts, until it is taken or too old.
import t from 'tap';
import { attribute, firstAttribute, integerOf, octetsAt, textOf } from '#aaa-server/wire/attributes.ts';
import { verifyRequest } from '#aaa-server/wire/authenticators.ts';
import { code, type Packet } from '#aaa-server/wire/packet.ts';
import { until } from '#test/support/wait.ts';
import {
  freePorts,
  homeSecret,
  homeServer,
  realm,
  type ScriptedHome,
  startNode,
  startScriptedHome,
  temporaryFolder,
} from './harness.ts';
import { createNas } from './nas.ts';

t.setTimeout(120_000);

const accounting = (home: ScriptedHome) =>
  home.received.map(({ packet }) => packet).filter((packet) => packet.code === code.accountingRequest);
const told = (packet: Packet) =>
  `${textOf(packet, attribute.acctSessionId)} ${integerOf(packet, attribute.acctStatusType)} ${integerOf(packet, attribute.acctSessionTime) ?? ''}`;

/** Takes what it can verify; `only` may leave some unanswered. */
function taking(home: ScriptedHome, only: (packet: Packet) => boolean = () => true): ScriptedHome {
  home.answer = (packet, from) => {
    const right = packet.code !== code.accountingRequest || verifyRequest(packet, homeSecret);
    if (right && only(packet))
      home.send(home.reply({ packet, from }, code.accountingResponse, undefined, homeSecret, false), from);
  };
  return home;
}

const record = (session: string, kind: number, seconds = 0) => ({
  session,
  add: (builder: { add(type: number, value: string | number): void }) => {
    builder.add(attribute.acctStatusType, kind);
    if (session !== '') builder.add(attribute.acctSessionId, session);
    builder.add(attribute.acctSessionTime, seconds);
  },
});

t.test(
  'a copy goes out for every record of the access server that is meant, the order of a session kept',
  async (t) => {
    const [acct] = await freePorts();
    const home = taking(await startScriptedHome(t, acct));
    const to = homeServer(1, acct, { acctPort: acct });
    const node = await startNode(t, {
      homeServers: [to],
      copies: [
        { id: 1, name: 'billing', homeServerId: 1, nasId: 1 },
        { id: 2, name: 'of another', homeServerId: 1, nasId: 2 },
      ],
    });
    const nas = createNas(t);
    for (let n = 0; n < 40; n++) {
      await nas.account(node.acctPort, 'alice', record(`s${n % 4}`, 3, n).add).reply();
    }
    await until(() => accounting(home).length === 40, 'all arrive', 20_000);
    for (const session of ['s0', 's1', 's2', 's3']) {
      const times = accounting(home)
        .filter((packet) => textOf(packet, attribute.acctSessionId) === session)
        .map((packet) => integerOf(packet, attribute.acctSessionTime)!);
      t.strictSame(
        times,
        times.toSorted((a, b) => a - b),
      );
    }
    t.equal(node.records.length, 40, 'and all of it is counted here');
  },
);

t.test('Accounting-On and -Off overtake nothing, and nothing overtakes them', async (t) => {
  const [acct] = await freePorts();
  const node = await startNode(t, {
    homeServers: [homeServer(1, acct, { acctPort: acct, responseWindowMs: 300, healthCheck: 'none' })],
    copies: [{ id: 1, name: 'billing', homeServerId: 1, nasId: null }],
  });
  const nas = createNas(t);
  for (const { add } of [record('a', 1), record('b', 1), record('', 7), record('c', 1)]) {
    await nas.account(node.acctPort, 'alice', add).reply();
  }
  const home = taking(await startScriptedHome(t, acct));
  await until(() => new Set(accounting(home).map(told)).size === 4, 'all arrive', 30_000);
  const kinds = [...new Set(accounting(home).map(told))].map((text) => text.split(' ')[1]);
  t.strictSame(kinds.slice(2), ['7', '1']);
});

t.test('what waits is sent after a restart, and again when the answer was lost', async (t) => {
  const folder = temporaryFolder(t);
  const [acct] = await freePorts();
  const configured = {
    homeServers: [homeServer(1, acct, { acctPort: acct, responseWindowMs: 300, healthCheck: 'none' as const })],
    realms: [realm(1, 'partner', [1], { accounting: 'forward', stripUserName: true })],
  };
  const first = await startNode(t, configured, { folder });
  const nas = createNas(t);
  for (let n = 0; n < 10; n++) await nas.account(first.acctPort, 'bob@partner', record(`s${n}`, 1).add).reply();
  t.equal(first.records.length, 0, 'only forwarded');
  await until(async () => (await first.metric('lastmile_proxy_accounting_backlog_bytes')) > 0, 'it waits');
  await first.stop();

  let answered = 0;
  const home = taking(await startScriptedHome(t, acct), () => ++answered % 3 !== 0);
  const second = await startNode(t, configured, { folder });
  await until(() => new Set(accounting(home).map(told)).size === 10, 'all arrive', 30_000);
  await until(
    async () => (await second.metric('lastmile_proxy_accounting_forwarded_total')) === 10,
    'all are taken',
    30_000,
  );
  t.ok(accounting(home).length > 10, 'some of them twice');
  t.ok(accounting(home).every((packet) => textOf(packet, attribute.userName) === 'bob'));
  const ids = accounting(home).map((packet) => packet.data.subarray(packet.start, packet.end).toString('hex'));
  t.equal(new Set(ids).size, ids.length, 'each attempt is a packet of its own');
  await second.stop();

  const quiet = accounting(home).length;
  const third = await startNode(t, configured, { folder });
  await nas.account(third.acctPort, 'bob@partner', record('last', 2).add).reply();
  await until(
    () => accounting(home).some((packet) => textOf(packet, attribute.acctSessionId) === 'last'),
    'it goes on',
  );
  const again = accounting(home)
    .slice(quiet)
    .filter((packet) => textOf(packet, attribute.acctSessionId) !== 'last');
  t.equal(again.length, 0, 'where it stopped');
});

t.test('behind a record that nobody answers, what was taken is not sent again after a restart', async (t) => {
  const folder = temporaryFolder(t);
  const [acct] = await freePorts();
  const configured = {
    homeServers: [homeServer(1, acct, { acctPort: acct, responseWindowMs: 300, healthCheck: 'none' as const })],
    copies: [{ id: 1, name: 'billing', homeServerId: 1, nasId: null }],
  };
  const isStuck = (packet: Packet) => textOf(packet, attribute.acctSessionId) === 'stuck';
  const home = taking(await startScriptedHome(t, acct), (packet) => !isStuck(packet));
  const first = await startNode(t, configured, { folder });
  const nas = createNas(t);
  for (const session of ['before', 'stuck', ...Array.from({ length: 20 }, (_, n) => `behind ${n}`)])
    await nas.account(first.acctPort, 'alice', record(session, 1).add).reply();
  await until(
    async () => (await first.metric('lastmile_proxy_accounting_forwarded_total')) === 21,
    'all others are taken',
    30_000,
  );
  await first.stop();
  const before = accounting(home).length;
  const second = await startNode(t, configured, { folder });
  await nas.account(second.acctPort, 'alice', record('new', 1).add).reply();
  const again = () => accounting(home).slice(before);
  await until(
    () => again().some(isStuck) && again().some((packet) => told(packet) === 'new 1 0'),
    'it goes on',
    30_000,
  );
  t.strictSame([...new Set(again().map(told))].sort(), ['new 1 0', 'stuck 1 0']);
});

t.test('sessions let in here are counted here to their end when their realm is forwarded', async (t) => {
  const [acct] = await freePorts();
  const home = taking(await startScriptedHome(t, acct));
  const node = await startNode(t);
  const nas = createNas(t);
  const accepted = await nas.login(node.authPort, 'alice').reply();
  const ours = octetsAt(accepted, firstAttribute(accepted, attribute.class));
  const account = (session: string, loginClass?: Buffer) =>
    nas
      .account(node.acctPort, 'alice@anywhere', (builder) => {
        record(session, 2).add(builder);
        if (loginClass) builder.add(attribute.class, loginClass);
      })
      .reply();
  node.configure({
    homeServers: [homeServer(1, acct, { acctPort: acct })],
    realms: [realm(1, 'default', [1], { accounting: 'forward' })],
  });
  let tries = 0;
  await until(async () => {
    await account(`until it is known ${tries++}`);
    return accounting(home).length > 0;
  }, 'the realm is known');
  await account('theirs');
  await account('ours', ours);
  await until(() => accounting(home).some((packet) => told(packet).startsWith('ours ')), 'the home server hears of it');
  const counted = node.records.map(({ sessionId }) => sessionId);
  t.ok(counted.includes('ours'));
  t.notOk(counted.includes('theirs'));
});

t.test('a worker looks after what one left behind that is no longer there', async (t) => {
  const folder = temporaryFolder(t);
  const [acct] = await freePorts();
  const configured = {
    homeServers: [homeServer(1, acct, { acctPort: acct, responseWindowMs: 300, healthCheck: 'none' as const })],
    copies: [{ id: 1, name: 'billing', homeServerId: 1, nasId: null }],
  };
  const gone = await startNode(t, configured, { folder, worker: 7 });
  await createNas(t).account(gone.acctPort, 'alice', record('left', 1).add).reply();
  await gone.stop();
  const home = taking(await startScriptedHome(t, acct));
  await startNode(t, configured, { folder, worker: 0 });
  await until(() => accounting(home).length > 0, 'it is sent', 20_000);
  t.equal(told(accounting(home)[0]!), 'left 1 0');
});

t.test('what waited too long is lost, and counted', async (t) => {
  const [acct] = await freePorts();
  const node = await startNode(
    t,
    {
      homeServers: [homeServer(1, acct, { acctPort: acct, responseWindowMs: 200 })],
      copies: [{ id: 1, name: 'billing', homeServerId: 1, nasId: null }],
    },
    { keepMs: 1000 },
  );
  await createNas(t).account(node.acctPort, 'alice', record('a', 1).add).reply();
  await until(
    async () => (await node.metric('lastmile_proxy_accounting_lost_total', { reason: 'expired' })) === 1,
    'it is given up',
    30_000,
  );
  t.equal(node.records.length, 1, 'it is counted here all the same');
});

t.test('what is too old is sent all the same to a server that is there', async (t) => {
  const folder = temporaryFolder(t);
  const [acct] = await freePorts();
  const configured = {
    homeServers: [homeServer(1, acct, { acctPort: acct, responseWindowMs: 300, healthCheck: 'none' as const })],
    copies: [{ id: 1, name: 'billing', homeServerId: 1, nasId: null }],
  };
  const first = await startNode(t, configured, { folder });
  await createNas(t).account(first.acctPort, 'alice', record('old', 1).add).reply();
  await first.stop();
  const home = taking(await startScriptedHome(t, acct));
  const second = await startNode(t, configured, { folder, keepMs: 0 });
  await until(() => accounting(home).length > 0, 'it is sent', 20_000);
  await until(() => second.metric('lastmile_proxy_accounting_forwarded_total'), 'and taken');
  t.equal(await second.metric('lastmile_proxy_accounting_lost_total'), 0);
});

t.test('what came through too many proxies is not copied, and counted here all the same', async (t) => {
  const [acct] = await freePorts();
  const home = taking(await startScriptedHome(t, acct));
  const node = await startNode(t, {
    homeServers: [homeServer(1, acct, { acctPort: acct })],
    realms: [realm(1, 'partner', [1])],
    copies: [{ id: 1, name: 'billing', homeServerId: 1, nasId: null }],
  });
  const nas = createNas(t);
  const account = (userName: string, proxies: number) =>
    nas.account(node.acctPort, userName, (builder) => {
      record(userName, 1).add(builder);
      for (let n = 0; n < proxies; n++) builder.add(attribute.proxyState, `proxy ${n}`);
    });
  await account('alice', 10).reply();
  await account('alice', 9).reply();
  await until(() => accounting(home).length === 1, 'the other one is copied');
  t.equal(node.records.length, 2);
  t.equal(await node.metric('lastmile_proxy_accounting_loops_total'), 1);
  const forwarded = account('bob@partner', 10);
  await until(() => node.counted('drops', 'proxy_too_many_hops') === 1, 'what is to be forwarded gets no answer');
  t.equal(forwarded.replies.length, 0);
});

t.test('what is refused here is not forwarded, and gets no answer', async (t) => {
  const [acct] = await freePorts();
  const home = taking(await startScriptedHome(t, acct));
  const node = await startNode(t, {
    homeServers: [homeServer(1, acct, { acctPort: acct })],
    copies: [{ id: 1, name: 'billing', homeServerId: 1, nasId: null }],
  });
  const nas = createNas(t);
  const broken = nas.account(node.acctPort, 'alice', (builder) => builder.add(attribute.acctSessionId, 'x'));
  await until(() => node.counted('drops', 'accounting_refused') === 1, 'it has no status');
  await nas.account(node.acctPort, 'alice', record('good', 1).add).reply();
  await until(() => accounting(home).length === 1, 'only the good one arrives');
  t.equal(broken.replies.length, 0);
});
