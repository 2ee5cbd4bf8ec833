// The ledger as plain TypeScript over arrays and bigints, kept for ever and searched from end to end: the oracle of the Redis functions.
import type {
  AccountingCall,
  ApplyResult,
  ByteCount,
  FlowUsage,
  FlowUsageCall,
  Interval,
  Meter,
  Threshold,
  Usage,
  UsageWindows,
} from '#policy/ledger/types.ts';

type Direction = { total: bigint; base: bigint; gigawords: 'never' | 'zero' | 'more' };

type Incarnation = {
  tenantId: number;
  subscriptionId: number;
  uuid: string;
  began: 'start' | 'lost' | 'unknown';
  startedAt: number;
  firstAt: number;
  lastAt: number;
  /** The greatest Session-Time and the event it came with. */
  time: { seconds: number; at: number } | null;
  /** The newest record that had counters. */
  counters: { seconds: number | null; at: number };
  up: Direction;
  down: Direction;
  closed: { why: 'stop' | 'boot' | 'replaced'; at: number } | null;
};

/** What an applied record must leave in the outbox. */
export type ModelEntry = {
  wal: string;
  position: number;
  part: number;
  kind: string;
  tenantId: number;
  subscriptionId: number;
  sessionId: string;
  fromMs: number;
  eventAtMs: number;
  upDelta: number;
  downDelta: number;
  upTotal: number;
  downTotal: number;
  flags: readonly string[];
};

/** What calls have told of a subscription. */
type Told = {
  /** Instants of switches and what counts since then. */
  switches: Map<number, Meter>;
  windows: UsageWindows | null;
  thresholds: readonly Threshold[];
};

type Session = { incarnations: Incarnation[] };
export type ModelSession = { upBytes: number; downBytes: number; startedAtMs: number; lastEventAtMs: number };
type Record = AccountingCall['record'] & { seconds: number | null };

const quarterMs = 900_000;
const minuteMs = 60_000;
const dayMs = 86_400_000;
const most = 2n ** 53n - 1n;

export type LedgerModel = ReturnType<typeof createModel>;

export function createModel() {
  const lanes = new Map<string, number>();
  const sessions = new Map<string, Session>();
  const boots = new Map<string, number[]>();
  const usage = new Map<string, { up: bigint; down: bigint }>();
  const quarantined: string[] = [];
  const outbox: ModelEntry[] = [];
  const facts = new Map<string, Told>();

  function add(key: string, up: bigint, down: bigint): void {
    const had = usage.get(key) ?? { up: 0n, down: 0n };
    usage.set(key, { up: had.up + up, down: had.down + down });
  }

  function countOf(key: string): ByteCount {
    const { up, down } = usage.get(key) ?? { up: 0n, down: 0n };
    return { upBytes: Number(up), downBytes: Number(down) };
  }

  function factsOf(owner: string): Told {
    const known = facts.get(owner) ?? { switches: new Map(), windows: null, thresholds: [] };
    facts.set(owner, known);
    return known;
  }

  function learnMeter(told: Told, meter: Meter, sinceMs: number | null): void {
    const since = sinceMs ?? 0;
    if (since > 0 || meter === 'flow') told.switches.set(since, told.switches.get(since) ?? meter);
  }

  /** One entry; why it does not count, or what crossed. */
  function countFlow({
    tenantId,
    subscriptionId,
    slotFromMs,
    upBytes,
    downBytes,
  }: FlowUsage): string | { crossed: boolean } {
    const owner = `${tenantId} ${subscriptionId}`;
    const { windows, thresholds, switches } = factsOf(owner);
    if (meterAt(switches, slotFromMs) !== 'flow') return 'other_meter';
    if (!windows) return 'no_facts';
    const all = usage.get(owner) ?? { up: 0n, down: 0n };
    const [up, down] = [BigInt(upBytes), BigInt(downBytes)];
    if (all.up + up > most || all.down + down > most) return 'counter_out_of_range';
    const names = new Map(
      Object.entries(windows).flatMap(([kind, [before, now]]) => {
        const starts = [now!.toMs, now!.fromMs, before!.fromMs];
        const start = starts.find((from) => slotFromMs >= from);
        return start === undefined ? [] : [[kind, `${owner} ${kind} ${start}`]];
      }),
    );
    const reachedBy = ({ window, direction, bytes }: Threshold) => {
      const count = usage.get(names.get(window) ?? '') ?? { up: 0n, down: 0n };
      return { ...count, total: count.up + count.down }[direction] >= BigInt(bytes);
    };
    const asked = thresholds.filter(({ window }) => names.has(window));
    const before = asked.map(reachedBy);
    for (const name of [owner, ...names.values()]) add(name, up, down);
    return { crossed: asked.some((threshold, index) => !before[index] && reachedBy(threshold)) };
  }

  function boot(instance: string, at: number): void {
    // Of a NAS that restarts often only the newest are remembered.
    const all = new Set([...(boots.get(instance) ?? []), at]);
    boots.set(instance, [...all].sort((a, b) => a - b).slice(-4));
    for (const [key, { incarnations }] of sessions) {
      const current = incarnations.at(-1);
      if (key.split('\n')[1] !== instance || !current || current.closed || current.lastAt > at) continue;
      current.closed = { why: 'boot', at: current.lastAt };
    }
  }

  return {
    quarantined,
    /** Entries of every record that was applied, in order. */
    outbox,

    apply(call: AccountingCall): ApplyResult {
      const { lane } = call;
      const name = `${call.record.partition} ${lane.walId}`;
      const stored = lanes.get(name) ?? 0;
      if (lane.position <= stored) return { kind: 'duplicate' };
      if (lane.previous !== stored) return { kind: 'gap', stored };
      const pass = (result: ApplyResult) => {
        lanes.set(name, lane.position);
        return result;
      };
      const refuse = (reason: string) => {
        quarantined.push(reason);
        return pass({ kind: 'quarantined', reason });
      };
      if (call.record.kind === 'on' || call.record.kind === 'off') {
        boot(call.record.nasInstance, call.record.eventAtMs);
        return pass({ kind: 'applied', crossed: false, flags: [] });
      }

      const record: Record = { ...call.record, seconds: secondsOf(call.record) };
      const key = `${record.tenantId}\n${record.nasInstance}\n${record.sessionId}`;
      const session: Session = sessions.get(key) ?? { incarnations: [] };
      const place = placeOf(session, record, boots.get(record.nasInstance) ?? []);
      const isNew = typeof place === 'number';
      if (isNew && record.receivedAtMs - record.eventAtMs > 7 * dayMs) return refuse('too_old');
      const next = isNew ? begin(record) : structuredClone(place);
      const isCurrent = isNew ? place === session.incarnations.length : place === session.incarnations.at(-1);
      const flags: string[] = isNew && record.kind !== 'start' ? ['lost_start'] : [];

      const counted = countersOf(next, record, call.planPeakBps, isNew, flags);
      if (!counted) return refuse('counter_out_of_range');
      let { up, down } = counted;
      if (isNew && call.adoptedAtMs !== null && next.startedAt < call.adoptedAtMs) {
        up = down = 0n;
        flags.push('baseline');
      }
      let crossed = false;
      const owner = `${next.tenantId} ${next.subscriptionId}`;
      // Callers that lag may say less than is known.
      const told = structuredClone(factsOf(owner));
      const ownFacts = next.subscriptionId === record.subscriptionId;
      if (ownFacts) learnMeter(told, call.meter, call.meterSinceMs);
      const isCounted = (slot: number) => meterAt(told.switches, slot) === 'radius';
      const whole = up + down;
      const sent = { up, down };
      if (next.subscriptionId !== 0) {
        up = sumOf(sent.up, counted.from, record.eventAtMs, isCounted);
        down = sumOf(sent.down, counted.from, record.eventAtMs, isCounted);
        if (up + down < whole) flags.push('other_meter');
      }
      if (up + down > 0n && next.subscriptionId !== 0) {
        const since = Math.max(counted.from, record.eventAtMs - 70 * dayMs);
        if (windowsOf(call).some(([, [first]]) => first && first.fromMs > since)) {
          return { kind: 'need_windows', sinceMs: since };
        }
        const all = usage.get(owner) ?? { up: 0n, down: 0n };
        if (all.up + up > most || all.down + down > most) return refuse('counter_out_of_range');
        const before = call.thresholds.map((threshold) => reached(owner, call, threshold));
        add(owner, up, down);
        for (const [kind, windows] of windowsOf(call)) {
          for (const window of windows) {
            const isIn = (slot: number) => window.fromMs <= slot && slot < window.toMs && isCounted(slot);
            const share = (bytes: bigint) => sumOf(bytes, counted.from, record.eventAtMs, isIn);
            add(`${owner} ${kind} ${window.fromMs}`, share(sent.up), share(sent.down));
          }
        }
        crossed = call.thresholds.some((threshold, index) => !before[index] && reached(owner, call, threshold));
      }

      if (ownFacts && next.subscriptionId !== 0) {
        const newest = told.windows?.day.at(-1);
        if (!newest || record.eventAtMs >= newest.fromMs) told.windows = lastTwo(call.windows);
        facts.set(owner, { ...told, thresholds: call.thresholds });
      }

      if (record.eventAtMs < next.lastAt) flags.push('late');
      note(next, record);
      settle(next, record, isNew, isCurrent, boots.get(record.nasInstance) ?? [], flags);
      if (isNew) {
        const current = session.incarnations.at(-1);
        if (isCurrent && current && !current.closed) current.closed = { why: 'replaced', at: current.lastAt };
        session.incarnations.splice(place, 0, next);
      } else session.incarnations[session.incarnations.indexOf(place)] = next;
      sessions.set(key, session);
      outbox.push({
        ...{ wal: lane.walId, position: lane.position, part: 0, kind: record.kind, flags },
        ...{ tenantId: next.tenantId, subscriptionId: next.subscriptionId, sessionId: record.sessionId },
        ...{ fromMs: counted.from, eventAtMs: record.eventAtMs, upDelta: Number(up), downDelta: Number(down) },
        ...{ upTotal: Number(next.up.total), downTotal: Number(next.down.total) },
      });
      return pass({ kind: 'applied', crossed, flags });
    },

    applyFlow({ lane, record }: FlowUsageCall): ApplyResult {
      const name = `${record.partition} ${lane.walId}`;
      const stored = lanes.get(name) ?? 0;
      if (lane.position <= stored) return { kind: 'duplicate' };
      if (lane.previous !== stored) return { kind: 'gap', stored };
      lanes.set(name, lane.position);
      let crossed = false;
      const flags = new Set<string>();
      for (const [part, entry] of record.entries.entries()) {
        const result = countFlow(entry);
        const refused = typeof result === 'string';
        if (refused) flags.add(result);
        else crossed ||= result.crossed;
        const { tenantId, subscriptionId, slotFromMs, upBytes, downBytes } = entry;
        outbox.push({
          ...{ wal: lane.walId, position: lane.position, part, kind: 'flow', flags: refused ? [result] : [] },
          ...{ tenantId, subscriptionId, sessionId: '', fromMs: slotFromMs, eventAtMs: slotFromMs + quarterMs },
          ...{ upDelta: refused ? 0 : upBytes, downDelta: refused ? 0 : downBytes, upTotal: 0, downTotal: 0 },
        });
      }
      return { kind: 'applied', crossed, flags: [...flags] };
    },

    setMeter(tenantId: number, subscriptionId: number, meter: Meter, sinceMs: number | null): void {
      learnMeter(factsOf(`${tenantId} ${subscriptionId}`), meter, sinceMs);
    },

    usage(tenantId: number, subscriptionId: number, windows: UsageWindows): Usage {
      const owner = `${tenantId} ${subscriptionId}`;
      const last = (kind: 'day' | 'week' | 'month') => countOf(`${owner} ${kind} ${windows[kind].at(-1)?.fromMs}`);
      return { all: countOf(owner), day: last('day'), week: last('week'), month: last('month') };
    },

    /** Every counter of a subscription: `''` for all time, else `<kind> <from>`. */
    counters(tenantId: number, subscriptionId: number): Map<string, ByteCount> {
      const owner = `${tenantId} ${subscriptionId}`;
      const names = [...usage.keys()].filter((name) => name === owner || name.startsWith(`${owner} `));
      return new Map(names.map((name) => [name.slice(owner.length + 1), countOf(name)]));
    },

    /** Open sessions of a subscription by session id. */
    sessionsOf(tenantId: number, subscriptionId: number): Map<string, ModelSession> {
      const found = [...sessions].flatMap(([key, { incarnations }]) => {
        const current = incarnations.at(-1);
        if (!current || current.closed) return [];
        if (current.tenantId !== tenantId || current.subscriptionId !== subscriptionId) return [];
        const { startedAt: startedAtMs, lastAt: lastEventAtMs } = current;
        const bytes = { upBytes: Number(current.up.total), downBytes: Number(current.down.total) };
        return [[key.split('\n')[2]!, { ...bytes, startedAtMs, lastEventAtMs }] as const];
      });
      return new Map(found);
    },
  };

  function reached(owner: string, call: AccountingCall, threshold: AccountingCall['thresholds'][number]): boolean {
    const { up, down } = usage.get(`${owner} ${threshold.window} ${call.windows[threshold.window].at(-1)?.fromMs}`) ?? {
      up: 0n,
      down: 0n,
    };
    return { up, down, total: up + down }[threshold.direction] >= BigInt(threshold.bytes);
  }
}

function windowsOf(call: AccountingCall): [string, readonly Interval[]][] {
  return Object.entries(call.windows);
}

/** A Start is at its beginning; a session that sent something is older than 0 seconds. */
function secondsOf(record: AccountingCall['record']): number | null {
  if (record.kind === 'start') return 0;
  const sent = [record.upOctets, record.downOctets, record.upGigawords, record.downGigawords].some((n) => (n ?? 0) > 0);
  return record.sessionTimeS === 0 && sent ? null : record.sessionTimeS;
}

/** The incarnation of the record, or the index at which a new one goes. */
function placeOf({ incarnations }: Session, record: Record, boots: readonly number[]): Incarnation | number {
  const current = incarnations.at(-1);
  if (!current) return 0;
  const ofClass = incarnations.slice(0, -1).find(({ uuid }) => uuid !== '' && uuid === record.classUuid);
  if (ofClass && current.uuid !== record.classUuid) return ofClass;
  const sameLogin = current.uuid !== '' && current.uuid === record.classUuid;
  for (let i = incarnations.length - 1; i >= 0; i--) {
    const it = incarnations[i]!;
    if (sameLogin && it.uuid !== record.classUuid) continue;
    const relation = relationOf(it, record, boots);
    if (relation === 'same') return it;
    if (relation === 'later' && (!sameLogin || it === current)) return i + 1;
  }
  return sameLogin ? current : 0;
}

function relationOf(it: Incarnation, record: Record, boots: readonly number[]): 'same' | 'later' | 'earlier' {
  const at = record.eventAtMs;
  const { seconds } = record;
  const bothClasses = it.uuid !== '' && record.classUuid !== '';
  const sameClass = bothClasses && it.uuid === record.classUuid;
  const otherClass = bothClasses && !sameClass;
  if (record.kind === 'start' && sameClass) return 'same';

  const began = seconds === null ? null : at - seconds * 1000;
  const itBegan = it.time && it.time.at - it.time.seconds * 1000;
  const alike = seconds && began !== null && itBegan !== null && Math.abs(began - itBegan) <= minuteMs;
  for (const boot of [...boots].sort((a, b) => a - b)) {
    if (alike && began < boot) continue;
    if (at < boot && boot <= it.firstAt) return 'earlier';
    if (it.lastAt <= boot && boot <= at && it.lastAt < at) return 'later';
  }
  const byEvent = at > it.lastAt ? 'later' : 'earlier';
  if (it.subscriptionId && record.subscriptionId && it.subscriptionId !== record.subscriptionId) return byEvent;

  if (record.kind === 'start') {
    const end = it.closed?.at ?? it.lastAt;
    if (otherClass) return at >= end ? 'later' : 'earlier';
    if (it.closed) return at > end + 2000 ? 'later' : 'same';
    return at > it.lastAt && at - it.lastAt + (it.time?.seconds ?? 0) * 1000 > minuteMs ? 'later' : 'same';
  }

  const slack = otherClass ? 0 : minuteMs;
  if (!sameClass && it.began !== 'unknown' && at <= it.startedAt - slack) return 'earlier';
  if (!sameClass && began !== null && it.closed?.why === 'stop' && began >= it.closed.at + slack) return 'later';
  if (otherClass && began !== null && itBegan !== null && Math.abs(began - itBegan) > minuteMs) {
    return began > itBegan ? 'later' : 'earlier';
  }

  if (seconds === null || !it.time) return 'same';
  const [events, times] = [at - it.time.at, (seconds - it.time.seconds) * 1000];
  if (Math.sign(events) * Math.sign(times) === -1 && Math.abs(events) + Math.abs(times) > minuteMs) {
    if (events > 0) return 'later';
    const within = !otherClass && it.began !== 'unknown' && at > it.startedAt + minuteMs;
    return within ? 'same' : 'earlier';
  }
  return 'same';
}

function begin(record: Record): Incarnation {
  const { tenantId, subscriptionId, classUuid: uuid, eventAtMs: at, seconds } = record;
  const startedAt = Math.max(0, at - (seconds ?? 0) * 1000);
  const direction = (): Direction => ({ total: 0n, base: 0n, gigawords: 'never' });
  return {
    ...{ tenantId, subscriptionId, uuid, startedAt, firstAt: at, lastAt: at, time: null, closed: null },
    began: record.kind === 'start' ? 'start' : seconds === null ? 'unknown' : 'lost',
    counters: { at: startedAt, seconds: seconds === null ? null : 0 },
    up: direction(),
    down: direction(),
  };
}

/** Takes the counters of the record into `it`; null when one is out of range. */
function countersOf(it: Incarnation, record: Record, peakBps: number, isNew: boolean, flags: string[]) {
  const at = record.eventAtMs;
  const { seconds } = record;
  const timed = seconds !== null && it.counters.seconds !== null;
  const apart = timed ? seconds - it.counters.seconds! : 0;
  const order = timed && (apart !== 0 || seconds > 0) ? Math.sign(apart) : Math.sign(at - it.counters.at);
  const elapsedMs = Math.max(0, timed ? apart * 1000 : at - it.counters.at);
  const plausible = ((1.5 * peakBps) / 8) * (elapsedMs / 1000);
  let any = false;

  const take = (direction: Direction, octets: number | null, gigawords: number | null): bigint | null => {
    if (octets === null) return 0n;
    if (gigawords === null && direction.gigawords === 'more') {
      flags.push('gigaword_missing');
      return 0n;
    }
    const raw = BigInt(octets) + (BigInt(gigawords ?? 0) << 32n);
    if (raw > most) return null;
    any = true;
    if (gigawords) direction.gigawords = 'more';
    else if (gigawords === 0 && direction.gigawords === 'never') direction.gigawords = 'zero';
    const had = direction.total - direction.base;
    if (raw < had) {
      if (order <= 0 || record.kind === 'start') return 0n;
      const wrapped = (1n << 32n) - had + raw;
      const wraps = direction.gigawords === 'never' && Number(wrapped) <= plausible;
      flags.push(wraps ? 'wrap' : 'reset');
      direction.base += wraps ? 1n << 32n : had;
    } else if (order < 0 && direction.base > 0n) return 0n;
    else if (!isNew && peakBps > 0 && raw > had && Number(raw - had) > plausible) flags.push('implausible');
    const before = direction.total;
    direction.total = direction.base + raw;
    return direction.total > most ? null : direction.total - before;
  };

  const from = Math.min(at, isNew ? it.startedAt : order > 0 ? it.counters.at : at);
  const up = take(it.up, record.upOctets, record.upGigawords);
  const down = up === null ? null : take(it.down, record.downOctets, record.downGigawords);
  if (up === null || down === null) return null;
  if (any && (isNew || order > 0)) it.counters = { at, seconds };
  return { up, down, from };
}

/** Bytes of [from, to] that lie in the window, quarter of an hour by quarter of an hour. */
export function shareOf(bytes: bigint, from: number, to: number, window: Interval): bigint {
  return sumOf(bytes, from, to, (slot) => window.fromMs <= slot && slot < window.toMs);
}

function sumOf(bytes: bigint, from: number, to: number, takes: (slot: number) => boolean): bigint {
  const last = Math.floor((to > from ? to - 1 : to) / quarterMs) * quarterMs;
  let given = 0n;
  let share = 0n;
  for (let slot = Math.floor(from / quarterMs) * quarterMs; slot <= last; slot += quarterMs) {
    const overlap = Math.min(slot + quarterMs, to) - Math.max(slot, from);
    const part = slot === last ? bytes - given : (bytes * BigInt(overlap)) / BigInt(to - from);
    given += part;
    if (takes(slot)) share += part;
  }
  return share;
}

/** The two latest switches are known: before the earlier of them counts what counts after the later. */
function meterAt(switches: ReadonlyMap<number, Meter>, at: number): Meter {
  const [last = 0, earlier = 0] = [...switches.keys()].sort((a, b) => b - a);
  const meter = switches.get(last) ?? 'radius';
  const other = meter === 'flow' ? 'radius' : 'flow';
  return at >= last || at < earlier ? meter : other;
}

function lastTwo(windows: UsageWindows): UsageWindows {
  return { day: windows.day.slice(-2), week: windows.week.slice(-2), month: windows.month.slice(-2) };
}

function note(it: Incarnation, record: Record): void {
  const at = record.eventAtMs;
  it.firstAt = Math.min(it.firstAt, at);
  it.lastAt = Math.max(it.lastAt, at);
  if (record.seconds !== null && (!it.time || record.seconds > it.time.seconds))
    it.time = { seconds: record.seconds, at };
  if (it.began === 'unknown') it.startedAt = it.firstAt;
  const near = Math.abs(at - it.startedAt) <= minuteMs;
  if (record.kind === 'start' && (it.began === 'unknown' || (it.began === 'lost' && near))) {
    it.began = 'start';
    it.startedAt = at;
  }
  it.uuid ||= record.classUuid;
}

/** Opens, closes or leaves it. */
function settle(
  it: Incarnation,
  record: Record,
  isNew: boolean,
  isCurrent: boolean,
  boots: readonly number[],
  flags: string[],
): void {
  const at = record.eventAtMs;
  if (record.kind === 'stop' && (!isCurrent || it.closed?.why !== 'stop')) it.closed = { why: 'stop', at };
  else if (!isCurrent) it.closed ??= { why: 'replaced', at };
  else if (!isNew && record.kind !== 'stop' && it.closed) {
    const booted = it.closed.why === 'boot' && boots.some((boot) => boot > at);
    if (record.kind === 'interim' && at > it.closed.at && it.closed.why !== 'stop' && !booted) {
      it.closed = null;
      flags.push('reopened');
    } else {
      if (it.closed.why === 'boot') it.closed.at = it.lastAt;
      if (at > it.closed.at) flags.push('after_stop');
    }
  }
}
