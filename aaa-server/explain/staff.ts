// A login to the device itself, explained: staff's, by the rules that decide it. Which of them it is that refuses is told here alone.
import { loginSentence } from '#policy/access/login-sentences.ts';
import { nasProfile } from '#policy/nas/vendors.ts';
import { staffOf, whyNot } from '../auth/device-logins.ts';
import type { DeviceUsers } from '../auth/device-users.ts';
import { findCredential } from '../auth/find-credential.ts';
import type { NasRecord, SnapshotReader } from '../subscribers/records.ts';
import type { Dictionary } from '../wire/dictionary.ts';
import type { Packet } from '../wire/packet.ts';
import { type ExplainedAttribute, showAttributes } from './attributes.ts';
import type { Fact } from './facts.ts';
import type { ShownUser } from './who.ts';

export type ExplainedStaff = {
  readonly result: 'accept' | 'reject';
  readonly reason: string | null;
  readonly sentence: string;
  readonly outcome: string | null;
  readonly user: ShownUser;
  readonly facts: readonly Fact[];
  readonly attributes: readonly ExplainedAttribute[];
};

type StaffDeps = {
  readonly snapshot: Pick<SnapshotReader, 'credential'>;
  readonly users: DeviceUsers;
  readonly dictionary: Dictionary;
};

/** Undefined: it is a subscriber's login. */
export function explainStaff(
  { snapshot, users, dictionary }: StaffDeps,
  nas: NasRecord,
  userName: string,
  packet: Packet,
  nowMs: number,
): ExplainedStaff | undefined {
  const find = (tenantId: number, name: string) => findCredential(snapshot, tenantId, name);
  const user = staffOf(users, { find }, packet, nas);
  if (user === undefined) return undefined;
  const shown = (rule: string): ShownUser => ({
    ...{ user_name: userName, credential: null, methods: [], rule },
    matched_by: user ? 'device_user' : null,
  });
  const refused = (fact: string, rule: string): ExplainedStaff => ({
    ...{ result: 'reject', reason: 'device_login_refused', sentence: loginSentence('device_login_refused') },
    ...{ outcome: null, user: shown(rule), attributes: [] },
    facts: [{ fact: 'device_user', value: fact, decides: true }],
  });
  if (!user)
    return refused('nobody of this name', 'the request asks for the device itself, and no device user has the name');
  const { access } = user.record;
  const rule = `device user ${user.record.userName} with access ${access}`;
  const why = whyNot(user, nas, nowMs);
  if (why) return refused(why, rule);
  const allowed = showAttributes(dictionary, nasProfile(nas.vendor).deviceAccess(access));
  const named = `access ${access} of device user ${user.record.userName}, told as vendor ${nas.vendor} understands it`;
  return {
    ...{ result: 'accept', reason: null, outcome: `device:${access}`, user: shown(rule) },
    sentence: `Staff may log in to the device, with access ${access}.`,
    facts: [{ fact: 'device_user', value: `enabled, access ${access}`, decides: true }],
    attributes: [
      ...allowed.map((attribute) => ({ ...attribute, source: 'device_access' as const, rule: named })),
      { name: 'Class', value: '***', source: 'class', rule: 'no subscriber is charged for what the device accounts' },
    ],
  };
}
