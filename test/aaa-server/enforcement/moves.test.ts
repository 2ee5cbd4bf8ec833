// Sessions are moved away from a drained access server: at the ordered pace, never more than were confirmed, and no longer than the order stands.
import type { Redis } from 'ioredis';
import t from 'tap';
import type { Timer } from '#aaa-server/enforcement/timer.ts';
import type { NasDrain } from '#aaa-server/subscribers/nas-operation.ts';
import { createBrakeGate } from '#policy/ledger/brake-gate.ts';
import { keys } from '#policy/ledger/keys.ts';
import { countMoved, countOfNas, createMoveLedger } from '#policy/ledger/moves.ts';
import { redisForTest } from '#test/support/redis.ts';
import { until } from '#test/support/wait.ts';
import { createIsp, fullSpeed, tenantId } from './harness.ts';
import { type Answer, scriptedNas } from './scripted-nas.ts';

const server = await redisForTest(t);
/** A lease that a busy machine does not lose: what was counted and not told would come a minute later. */
const patient = { pace: { leaseMs: 30_000 } };
const ids = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

async function setup(t: { teardown(handler: () => unknown): unknown }, sessions: number) {
  const nas = await scriptedNas(t);
  const isp = await createIsp(t, nas.port, server);
  await isp.redis.flushdb();
  await Promise.all(ids(sessions).map((id) => isp.open(id)));
  const drain = (move: NasDrain['move']) => {
    isp.state.nas = { ...isp.state.nas, drain: { answer: 'silence', move } };
    isp.state.nasGeneration++;
  };
  const told = () => nas.received.filter(({ kind }) => kind === 'disconnect').map(({ sessionId }) => sessionId);
  // A session that is told to end has ended.
  nas.answer = async ({ kind, sessionId }): Promise<Answer> => {
    if (kind === 'disconnect') await isp.close(Number(sessionId.slice(1)));
    return 'ack';
  };
  return { nas, isp, drain, told };
}

t.test('a drain alone ends no session', async (t) => {
  const { isp, drain, told } = await setup(t, 3);
  drain(null);
  const node = isp.node('a', patient);
  await node.start();
  await until(async () => (await isp.session(3)).desired !== '', 'sessions are looked at');
  t.equal(await countOfNas(isp.redis, tenantId, 1), 3);
  t.strictSame(told(), []);
});

t.test('everybody is told once, and no more than were confirmed', async (t) => {
  const { isp, drain, told } = await setup(t, 12);
  drain({ id: 1, most: 8, perS: 100 });
  const node = isp.node('a', patient);
  await node.start();
  await until(() => told().length === 8, 'eight Disconnects', 20_000);
  await until(
    async () => (await createMoveLedger(isp.redis).take({ id: 1, most: 8, perS: 100 }, 'x')) === 'full',
    'full',
  );
  t.equal(new Set(told()).size, 8, 'each once');
  t.equal(await countMoved(isp.redis, 1), 8);
  t.match(await node.registry.metrics(), /lastmile_sessions_moved_total 8/);
  t.equal(await countOfNas(isp.redis, tenantId, 1), 4);
});

t.test('when as many as were confirmed have been told, those who came late are asked for once', async (t) => {
  const { isp, drain, told } = await setup(t, 12);
  drain({ id: 9, most: 8, perS: 100 });
  const redis = isp.connect();
  const full = countAnswers(redis, 'move_take', 'full');
  const passes = countReads(redis, keys.live(63));
  const node = isp.node('a', { redis, timer: hurried(isp.timer, 50), pace: { leaseMs: 30_000, tickMs: 1000 } });
  await node.start();
  await until(() => full() >= 4, 'the others are asked for', 20_000);
  const seen = passes();
  await until(() => passes() >= seen + 2, 'it is looked again', 20_000);
  t.equal(full(), 4);
  // Time passes fifty times as fast: a request is repeated whose answer takes a moment on a busy machine.
  t.equal(new Set(told()).size, 8);
});

t.test('sessions whose subscription was deleted meanwhile are ended too', async (t) => {
  const { isp, drain, told } = await setup(t, 4);
  isp.unsubscribe(2);
  drain({ id: 8, most: 4, perS: 100 });
  const node = isp.node('a', patient);
  await node.start();
  await until(async () => (await countOfNas(isp.redis, tenantId, 1)) === 0, 'nobody is left', 20_000);
  t.strictSame(told().toSorted(), ['s1', 's2', 's3', 's4']);
});

t.test(
  'a node that dies between counting a session and telling it leaves the rest to the next, which keeps to the number',
  async (t) => {
    const { nas, isp, drain, told } = await setup(t, 30);
    drain({ id: 2, most: 20, perS: 50 });
    const dying = isp.connect();
    const died = cutAfterTurns(dying, 5);
    const first = isp.node('a', { redis: dying, pace: { leaseMs: 3000 } });
    await first.start();
    await died;
    const second = isp.node('b', patient);
    await second.start();
    await until(async () => (await countMoved(isp.redis, 2)) === 20, 'the number is reached', 20_000);
    const uncertain = await until(
      async () => {
        const open = await countOfNas(isp.redis, tenantId, 1);
        return open === 30 - new Set(told()).size && open - 10;
      },
      'what was told has ended',
      20_000,
    );
    t.ok(uncertain >= 1, 'one at least was counted and not told');
    t.equal(new Set(told()).size, 20 - uncertain, 'nobody is told in its place');
    // A minute passes.
    const key = `${keys.move(2)}:told`;
    for (const [session, entry] of Object.entries(await isp.redis.hgetall(key)))
      await isp.redis.hset(key, session, entry.replace(/:\d+$/, ':0'));
    await until(() => new Set(told()).size === 20, 'these are told then', 30_000);
    t.equal(await countMoved(isp.redis, 2), 20);
    t.equal(nas.received.filter(({ kind }) => kind === 'disconnect').length, 20, 'each once');
  },
);

t.test('an order that is stopped ends nobody any more', async (t) => {
  const { isp, drain, told } = await setup(t, 20);
  drain({ id: 3, most: 20, perS: 5 });
  const node = isp.node('a', patient);
  await node.start();
  await until(() => told().length >= 2, 'some are told', 20_000);
  drain(null);
  const moved = await until(async () => {
    const count = await countMoved(isp.redis, 3);
    return count === told().length && count;
  }, 'what was counted is told');
  await until(() => evaluatedSince(node, isp), 'the node works on');
  t.equal(await countMoved(isp.redis, 3), moved);
  t.ok(moved < 20);
});

t.test('what waits for its turn when the order is stopped is not told later either', async (t) => {
  const { isp, drain, told } = await setup(t, 12);
  isp.state.nas = { ...isp.state.nas, ...endsToChange, coaRatePerS: 1 };
  drain({ id: 6, most: 12, perS: 100 });
  const node = isp.node('a', patient);
  await node.start();
  await until(async () => (await countMoved(isp.redis, 6)) === 12, 'all are counted', 20_000);
  drain(null);
  const counted = async (result: string) => countOf(await node.registry.metrics(), result);
  isp.state.nas = { ...isp.state.nas, coaRatePerS: 1000 };
  isp.state.nasGeneration++;
  // A change with another cause: its turn comes after theirs.
  isp.open(13);
  node.nudge([await isp.cross(13)]);
  await until(() => told().includes('s13'), 'the node works on', 30_000);
  await until(async () => (await counted('withdrawn')) + told().length === 13, 'all others are withdrawn', 20_000);
  const ended = told();
  t.ok(ended.length < 12, `${ended.length} were told`);
  for (const id of ids(12).filter((id) => !ended.includes(`s${id}`)))
    t.match(await isp.session(id), { sent: '', acked: fullSpeed, cause: '' }, `s${id} is as it was`);
  await evaluatedAnew(node);
  t.strictSame(told(), ended);
});

t.test('whom a silent access server does not end is told by the order alone, and not once it is stopped', async (t) => {
  const { nas, isp, drain, told } = await setup(t, 3);
  nas.answer = () => null;
  isp.state.nas = { ...isp.state.nas, ...endsToChange };
  drain({ id: 7, most: 3, perS: 100 });
  const node = isp.node('a', { ...patient, timer: hurried(isp.timer, 10) });
  await node.start();
  await until(() => new Set(told()).size === 3, 'all are told', 20_000);
  drain(null);
  await until(async () => countOf(await node.registry.metrics(), 'timeout') === 3, 'no answer', 20_000);
  for (const id of ids(3)) t.match(await isp.session(id), { sent: '', acked: fullSpeed, cause: '' });
  const before = told().length;
  await evaluatedAnew(node);
  t.equal(told().length, before);
});

t.test('the pace holds for all nodes together', async (t) => {
  const { isp } = await setup(t, 0);
  const other = isp.connect();
  await other.connect();
  const [here, there] = [createMoveLedger(isp.redis), createMoveLedger(other)];
  const move = { id: 4, most: 100, perS: 1 };
  t.equal(await here.take(move, 'one'), 'go');
  const turn = await there.take(move, 'two');
  t.ok(typeof turn === 'object' && turn.waitMs > 0 && turn.waitMs <= 1000, JSON.stringify(turn));
  t.equal(await there.take(move, 'one'), 'known', 'one that was told is not asked again at once');
});

t.test('while the brake of the tenant holds, or in maintenance, nobody is moved', async (t) => {
  const { isp, drain, told } = await setup(t, 3);
  const gate = createBrakeGate(isp.redis);
  const many = Array.from({ length: 60 }, (_, n) => ({ subscriptionId: 1000 + n, reason: 'r', desired: 'd' }));
  t.ok((await gate.ask(tenantId, many, Date.now())).opened, 'the brake holds');
  drain({ id: 5, most: 3, perS: 100 });
  const node = isp.node('a', patient);
  await node.start();
  await until(async () => /brake_holding\{tenant="1"\} 1/.test(await node.registry.metrics()), 'it is seen', 10_000);
  t.strictSame(told(), []);
  isp.state.nas = { ...isp.state.nas, maintenance: [{ fromMs: 0, untilMs: Date.now() + 3600_000 }] };
  isp.state.nasGeneration++;
  const held = many.map(({ subscriptionId }) => subscriptionId);
  await gate.clear(tenantId, held, Date.now());
  await until(async () => /brake_holding\{tenant="1"\} 0/.test(await node.registry.metrics()), 'it is over', 10_000);
  t.strictSame(told(), []);
  isp.state.nas = { ...isp.state.nas, maintenance: [] };
  isp.state.nasGeneration++;
  await until(() => told().length === 3, 'all are moved', 20_000);
});

/** Its access server cannot change the speed of a session that is there: whatever differs, the session is ended. */
const endsToChange = { vendor: 'edgeos' } as const;

/** How often a function of the ledger has answered so. */
function countAnswers(redis: Redis, name: string, answer: string): () => number {
  let count = 0;
  onAnswer(redis, name, (given) => {
    if (given === answer) count++;
  });
  return () => count;
}

/** How often a sorted set was read from its beginning. */
function countReads(redis: Redis, key: string): () => number {
  const read = redis.zrange.bind(redis) as (name: string, ...rest: unknown[]) => Promise<unknown>;
  let count = 0;
  const zrange = (name: string, ...rest: unknown[]) => {
    if (name === key && rest[0] === '-inf') count++;
    return read(name, ...rest);
  };
  Object.assign(redis, { zrange });
  return () => count;
}

/** `hear` gets the first word of each answer. */
function onAnswer(redis: Redis, name: string, hear: (answer: unknown) => void): void {
  const ask = redis.fcall.bind(redis) as (name: string, ...rest: unknown[]) => Promise<unknown>;
  const fcall = async (asked: string, ...rest: unknown[]) => {
    const answer = await ask(asked, ...rest);
    if (asked.includes(name) && Array.isArray(answer)) hear(answer[0]);
    return answer;
  };
  Object.assign(redis, { fcall });
}

/** Cuts the node's Redis as soon as so many sessions have had their turn; resolves then. */
function cutAfterTurns(redis: Redis, turns: number): Promise<void> {
  let left = turns;
  return new Promise((resolve) =>
    onAnswer(redis, 'move_take', (turn) => {
      if (turn !== 'go' || --left > 0) return;
      redis.disconnect();
      resolve();
    }),
  );
}

function countOf(metrics: string, result: string): number {
  const line = new RegExp(`^lastmile_coa_requests_total{kind="disconnect",result="${result}"} (\\d+)$`, 'm');
  return Number(line.exec(metrics)?.[1] ?? 0);
}

/** So many times as fast. */
function hurried(timer: Timer, times: number): Timer {
  const [startMs, startedMs] = [timer.nowMs(), timer.monotonicMs()];
  const passedMs = () => (timer.monotonicMs() - startedMs) * times;
  return {
    nowMs: () => startMs + passedMs(),
    monotonicMs: passedMs,
    after: (ms, action) => timer.after(ms / times, action),
  };
}

/** Everybody is looked at twice more. */
async function evaluatedAnew(node: ReturnType<Awaited<ReturnType<typeof createIsp>>['node']>): Promise<void> {
  const sweeps = async () => Number(/cause="sweep"} (\d+)/.exec(await node.registry.metrics())?.[1] ?? 0);
  const before = await sweeps();
  node.changed({ kind: 'tenant', tenantId, id: tenantId });
  const once = await until(async () => (await sweeps()) > before && (await sweeps()), 'a sweep', 20_000);
  node.changed({ kind: 'tenant', tenantId, id: tenantId });
  await until(async () => (await sweeps()) > once, 'another one', 20_000);
}

/** One more evaluation of anything. */
async function evaluatedSince(node: { nudge(partitions: number[]): void }, isp: Awaited<ReturnType<typeof createIsp>>) {
  node.nudge([await isp.cross(20)]);
  return (await isp.session(20)).desired?.startsWith('throttle');
}
