// Turns fair-use rules between the API's form (Mbps, GB, clock times) and the one the policy works with (bps, bytes, minutes).
import type { FupEffect, FupRule } from '#policy/fup/rules.ts';
import { bpsOfMbps, mbpsOfBps } from '#policy/mbps.ts';
import { invalid } from '../problem.ts';
import type { FupRuleField } from './contract.ts';

export function rulesOf(fields: readonly FupRuleField[], gigabyteBytes: number): FupRule[] {
  return fields.map((field, index) => {
    const path = `/fup_rules/${index}`;
    const { window, direction = 'total', threshold_gb, effect, active } = field;
    return {
      window,
      direction,
      thresholdBytes: bytesOf(threshold_gb, gigabyteBytes, `${path}/threshold_gb`),
      effect: effectOf(effect, path),
      ...(active
        ? { active: { weekdays: active.weekdays, fromMinute: minuteOf(active.from), toMinute: minuteOf(active.to) } }
        : {}),
    };
  });
}

export function showRules(rules: readonly FupRule[], gigabyteBytes: number): FupRuleField[] {
  return rules.map(({ window, direction, thresholdBytes, effect, active }) => ({
    window,
    direction,
    threshold_gb: Math.round((thresholdBytes / gigabyteBytes) * 1000) / 1000,
    effect:
      effect.kind === 'speed'
        ? { kind: 'speed', bandwidth_down: mbpsOfBps(effect.downBps), bandwidth_up: mbpsOfBps(effect.upBps) }
        : effect,
    ...(active
      ? { active: { weekdays: [...active.weekdays], from: clock(active.fromMinute), to: clock(active.toMinute) } }
      : {}),
  }));
}

export function requireBps(mbps: number, path: string): number {
  const bps = bpsOfMbps(mbps);
  if (bps === undefined) throw invalid(path, 'must be Mbps with at most 3 decimals');
  return bps;
}

function effectOf(effect: FupRuleField['effect'], path: string): FupEffect {
  if (effect.kind !== 'speed') return effect;
  return {
    kind: 'speed',
    upBps: requireBps(effect.bandwidth_up, `${path}/effect/bandwidth_up`),
    downBps: requireBps(effect.bandwidth_down, `${path}/effect/bandwidth_down`),
  };
}

function bytesOf(gigabytes: number, gigabyteBytes: number, path: string): number {
  const thousandths = Math.round(gigabytes * 1000);
  if (thousandths < 1 || thousandths / 1000 !== gigabytes) throw invalid(path, 'must be GB with at most 3 decimals');
  // 2^30 is no multiple of 1000: the nearest byte.
  return Math.round((thousandths * gigabyteBytes) / 1000);
}

function minuteOf(text: string): number {
  const [hours = 0, minutes = 0] = text.split(':').map(Number);
  return hours * 60 + minutes;
}

function clock(minute: number): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}
