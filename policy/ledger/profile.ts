// The text of a decided profile: what the `profile:{pNN}` stream carries and `prof:{pNN}:<tenant>` keeps as the last one.
import type { Speed } from '../speed.ts';

/** What was last decided for a subscription; see ProfileRecord of the subscriber snapshot, which mirrors it. */
export type DecidedProfile = {
  readonly tenantId: number;
  readonly subscriptionId: number;
  /** Speed after FUP; null when no FUP rule is in force. */
  readonly fupSpeed: Speed | null;
  readonly fupBlocked: boolean;
  /** Until when the FUP state holds; null: until the next decision. */
  readonly fupUntilMs: number | null;
  /** Text of the outcome that the brake lets stand instead (policy/access/outcome.ts); null: nothing is held. */
  readonly heldOutcome: string | null;
  readonly decidedAtMs: number;
};

/** Order of the values in the text and of the fields in the stream entry. */
const names = ['tenant', 'sub', 'up', 'down', 'blocked', 'until', 'held', 'at'] as const;

/** `tenant|sub|up|down|blocked|until|held|at`: up and down in bps (0 = none), blocked 0 or 1, until and at in ms ('' = none). */
export function encodeProfile(profile: DecidedProfile): string {
  return valuesOf(profile).join('|');
}

/** The inverse of {@link encodeProfile}; undefined for any other text. */
export function decodeProfile(text: string): DecidedProfile | undefined {
  return profileOf(text.split('|'));
}

/** The same as the fields and values of a stream entry: `tenant 1 sub 2 …`. */
export function profileFields(profile: DecidedProfile): string[] {
  return valuesOf(profile).flatMap((value, index) => [names[index] ?? '', value]);
}

/** The inverse of {@link profileFields}, whatever the order of the fields; undefined for anything else. */
export function profileOfFields(fields: readonly string[]): DecidedProfile | undefined {
  return profileOf(
    names.map((name) => {
      const at = fields.findIndex((field, index) => index % 2 === 0 && field === name);
      return at < 0 ? '?' : (fields[at + 1] ?? '?');
    }),
  );
}

function valuesOf(profile: DecidedProfile): string[] {
  const { tenantId, subscriptionId, fupSpeed, fupBlocked, fupUntilMs, heldOutcome, decidedAtMs } = profile;
  return [
    String(tenantId),
    String(subscriptionId),
    wholeBps(fupSpeed?.upBps),
    wholeBps(fupSpeed?.downBps),
    fupBlocked ? '1' : '0',
    fupUntilMs === null ? '' : String(Math.ceil(fupUntilMs)),
    heldOutcome ?? '',
    String(Math.floor(decidedAtMs)),
  ];
}

function profileOf(values: readonly string[]): DecidedProfile | undefined {
  const [tenant = '', sub = '', up = '', down = '', blocked = '', until = '', held = '', at = ''] = values;
  const counts = [tenant, sub, up, down, at];
  if (values.length !== names.length || !counts.every(isCount) || (until !== '' && !isCount(until))) return undefined;
  if (held === '?' || (blocked !== '0' && blocked !== '1')) return undefined;
  const speed = { upBps: Number(up), downBps: Number(down) };
  return {
    tenantId: Number(tenant),
    subscriptionId: Number(sub),
    fupSpeed: speed.upBps > 0 && speed.downBps > 0 ? speed : null,
    fupBlocked: blocked === '1',
    fupUntilMs: until === '' ? null : Number(until),
    heldOutcome: held === '' ? null : held,
    decidedAtMs: Number(at),
  };
}

/** A speed that is in force never becomes 0, which means none. */
function wholeBps(bps: number | undefined): string {
  return bps === undefined ? '0' : String(Math.max(1, Math.floor(bps)));
}

function isCount(text: string): boolean {
  return /^\d{1,16}$/.test(text);
}
