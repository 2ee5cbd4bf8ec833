// Reads fair-use rules from JSON of unknown origin: a request, a row of the feed.
import {
  type FupEffect,
  type FupRule,
  type TimeOfWeek,
  type UsageDirection,
  type UsageWindow,
  usageDirections,
  usageWindows,
} from './rules.ts';

/** `path` is a JSON pointer into what was given, e.g. `/0/effect/percent`. */
export type FupRuleProblem = { readonly path: string; readonly message: string };

export type ParsedFupRules =
  | { readonly ok: true; readonly rules: readonly FupRule[] }
  | { readonly ok: false; readonly problems: readonly FupRuleProblem[] };

const fupBounds = { rules: 20, leastBps: 1000, mostBps: 10_000_000_000_000 } as const;

type Fields = Readonly<Record<string, unknown>>;

/** All problems at once. Unknown keys are refused: a condition that is not understood must not be left out. */
export function parseFupRules(json: unknown): ParsedFupRules {
  const problems: FupRuleProblem[] = [];
  const reader = readerOf(problems);
  if (!Array.isArray(json)) return { ok: false, problems: [{ path: '', message: 'must be a list of rules' }] };
  if (json.length > fupBounds.rules) {
    return { ok: false, problems: [{ path: '', message: `must have at most ${fupBounds.rules} rules` }] };
  }
  const rules = json.map((rule, index) => ruleOf(reader, rule, `/${index}`));
  return problems.length === 0 ? { ok: true, rules } : { ok: false, problems };
}

function ruleOf(read: Reader, json: unknown, path: string): FupRule {
  const fields = read.fields(json, path, ['window', 'direction', 'thresholdBytes', 'effect', 'active']);
  const rule = {
    window: read.oneOf<UsageWindow>(fields.window, `${path}/window`, usageWindows),
    direction: read.oneOf<UsageDirection>(fields.direction, `${path}/direction`, usageDirections),
    thresholdBytes: read.integer(fields.thresholdBytes, `${path}/thresholdBytes`, 1, Number.MAX_SAFE_INTEGER),
    effect: effectOf(read, fields.effect, `${path}/effect`),
  };
  return fields.active === undefined ? rule : { ...rule, active: timeOfWeekOf(read, fields.active, `${path}/active`) };
}

function effectOf(read: Reader, json: unknown, path: string): FupEffect {
  switch (read.fields(json, path, null).kind) {
    case 'speed': {
      const { upBps, downBps } = read.fields(json, path, ['kind', 'upBps', 'downBps']);
      const bps = (value: unknown, name: string) =>
        read.integer(value, `${path}/${name}`, fupBounds.leastBps, fupBounds.mostBps);
      return { kind: 'speed', upBps: bps(upBps, 'upBps'), downBps: bps(downBps, 'downBps') };
    }
    case 'reduce': {
      const { percent } = read.fields(json, path, ['kind', 'percent']);
      return { kind: 'reduce', percent: read.integer(percent, `${path}/percent`, 1, 99) };
    }
    case 'block':
      read.fields(json, path, ['kind']);
      return { kind: 'block' };
    default:
      read.wrong(`${path}/kind`, 'must be one of speed, reduce, block');
      return { kind: 'block' };
  }
}

function timeOfWeekOf(read: Reader, json: unknown, path: string): TimeOfWeek {
  const fields = read.fields(json, path, ['weekdays', 'fromMinute', 'toMinute']);
  return {
    weekdays: read.weekdays(fields.weekdays, `${path}/weekdays`),
    fromMinute: read.integer(fields.fromMinute, `${path}/fromMinute`, 0, 24 * 60),
    toMinute: read.integer(fields.toMinute, `${path}/toMinute`, 0, 24 * 60),
  };
}

type Reader = ReturnType<typeof readerOf>;

/**
 * Every function notes what is wrong, unless something around it already is, and returns a value of the right type all the
 * same: it is used only when nothing was wrong.
 */
function readerOf(problems: FupRuleProblem[]) {
  const wrong = (path: string, message: string) => {
    const told = problems.some((problem) => path === problem.path || path.startsWith(`${problem.path}/`));
    if (!told) problems.push({ path, message });
  };
  return {
    wrong,
    fields(json: unknown, path: string, known: readonly string[] | null): Fields {
      if (typeof json !== 'object' || json === null || Array.isArray(json)) {
        wrong(path, 'must be an object');
        return {};
      }
      for (const key of Object.keys(json)) if (known && !known.includes(key)) wrong(`${path}/${key}`, 'is not known');
      return json as Fields;
    },
    oneOf<Value extends string>(json: unknown, path: string, allowed: readonly [Value, ...Value[]]): Value {
      const value = allowed.find((candidate) => candidate === json);
      if (value === undefined) wrong(path, `must be one of ${allowed.join(', ')}`);
      return value ?? allowed[0];
    },
    integer(json: unknown, path: string, least: number, most: number): number {
      if (typeof json === 'number' && Number.isInteger(json) && json >= least && json <= most) return json;
      wrong(path, `must be a whole number from ${least} to ${most}`);
      return least;
    },
    weekdays(json: unknown, path: string): number[] {
      const list: unknown[] = Array.isArray(json) ? json : [];
      const days = list.filter((day): day is number => Number.isInteger(day) && Number(day) >= 1 && Number(day) <= 7);
      if (days.length === 0 || days.length !== list.length || new Set(days).size !== days.length) {
        wrong(path, 'must list ISO weekdays, 1 (Monday) to 7 (Sunday), each once');
      }
      return days;
    },
  };
}
