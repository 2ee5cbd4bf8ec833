// Which fair-use rule is in force for the usage so far, and when that changes with time alone.
import { isSameSpeed, type Speed, slowerOf } from '../speed.ts';
import { type Calendar, windowOf } from '../time.ts';
import { isTimeOfWeek, nextTimeOfWeekEdge } from '../time-of-week.ts';
import { type FupPlan, speedUnder } from './effect.ts';
import type { FupRule } from './rules.ts';
import { bytesIn, type Usage } from './usage.ts';

/**
 * `untilMs`: the next instant at which the decision differs if not a byte is added (a window ends, a time span opens or
 * closes); null when there is none. `ruleIndex`: the rule that leaves the lowest speed (download first).
 */
export type FupDecision =
  | { readonly kind: 'none'; readonly untilMs: number | null }
  | { readonly kind: 'speed'; readonly speed: Speed; readonly ruleIndex: number; readonly untilMs: number | null }
  | { readonly kind: 'block'; readonly ruleIndex: number; readonly untilMs: number | null };

type Exceeded = { readonly rule: FupRule; readonly index: number; readonly endMs: number };
type State =
  | { readonly kind: 'none' }
  | { readonly kind: 'speed'; readonly speed: Speed; readonly ruleIndex: number }
  | { readonly kind: 'block'; readonly ruleIndex: number };

/**
 * A rule is in force when the usage of its window has reached the threshold and its time span, if any, is active. Of
 * several the strictest wins: a block, else the lowest speed of each direction. `usage` counts the windows that contain `nowMs`.
 */
export function decideFup(plan: FupPlan, usage: Usage, nowMs: number, calendar: Calendar): FupDecision {
  const exceeded = plan.fupRules
    .map((rule, index) => ({ rule, index }))
    .filter(({ rule }) => bytesIn(rule.direction, usage[rule.window]) >= rule.thresholdBytes)
    .map(({ rule, index }) => ({ rule, index, endMs: windowOf(rule.window, nowMs, calendar).toMs }));
  const state = stateAt(nowMs, exceeded, plan, calendar.timeZone);
  return { ...state, untilMs: nextChange(state, nowMs, exceeded, plan, calendar.timeZone) };
}

function stateAt(atMs: number, exceeded: readonly Exceeded[], plan: FupPlan, zone: string): State {
  let speed = plan.speed;
  let decisive: { readonly speed: Speed; readonly index: number } | null = null;
  for (const { rule, index, endMs } of exceeded) {
    if (atMs >= endMs || (rule.active && !isTimeOfWeek(rule.active, atMs, zone))) continue;
    const left = speedUnder(rule.effect, plan.speed);
    if (!left) return { kind: 'block', ruleIndex: index };
    speed = slowerOf(speed, left);
    if (!decisive || isLower(left, decisive.speed)) decisive = { speed: left, index };
  }
  // A rule that leaves the tariff's speed as it is restricts nothing.
  if (!decisive || isSameSpeed(speed, plan.speed)) return { kind: 'none' };
  return { kind: 'speed', speed, ruleIndex: decisive.index };
}

/** Usage stands still: only the ends of windows and the edges of time spans can change the state. */
function nextChange(state: State, nowMs: number, exceeded: readonly Exceeded[], plan: FupPlan, zone: string) {
  for (let atMs = nowMs; ; ) {
    const edges = exceeded
      .filter(({ endMs }) => endMs > atMs)
      .map(({ rule, endMs }) => {
        const edgeMs = rule.active ? nextTimeOfWeekEdge(rule.active, atMs, zone) : null;
        return edgeMs === null ? endMs : Math.min(edgeMs, endMs);
      });
    if (edges.length === 0) return null;
    atMs = Math.min(...edges);
    if (!isSameState(state, stateAt(atMs, exceeded, plan, zone))) return atMs;
  }
}

function isLower(a: Speed, b: Speed): boolean {
  return a.downBps !== b.downBps ? a.downBps < b.downBps : a.upBps < b.upBps;
}

function isSameState(a: State, b: State): boolean {
  return a.kind === 'speed' && b.kind === 'speed' ? isSameSpeed(a.speed, b.speed) : a.kind === b.kind;
}
