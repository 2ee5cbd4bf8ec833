// The attributes of an answer as text, each with the rule that put it there.
import { formatOutcome } from '#policy/access/outcome.ts';
import { speedUnder } from '#policy/fup/effect.ts';
import type { NasAttribute } from '#policy/nas/profile.ts';
import { isSameSpeed } from '#policy/speed.ts';
import type { Authorization } from '../auth/authorize.ts';
import type { AddressRecord, NasRecord, PlanRecord } from '../subscribers/records.ts';
import { attribute } from '../wire/attributes.ts';
import type { Dictionary } from '../wire/dictionary.ts';
import { createPacketBuilder } from '../wire/encode.ts';
import { createSecret } from '../wire/md5.ts';
import { code, decodePacket, type Packet } from '../wire/packet.ts';
import { typedAttributes } from '../wire/typed.ts';

export const attributeSources = [
  'speed',
  'static_address',
  'pool',
  'session_timeout',
  'interim_interval',
  'class',
  'nas_attribute',
  'tariff_attribute',
  'subscription_attribute',
  'garden_stay',
  'device_access',
] as const;
export type AttributeSource = (typeof attributeSources)[number];

export type ShownAttribute = { readonly name: string; readonly value: string };
export type ExplainedAttribute = ShownAttribute & { readonly source: AttributeSource; readonly rule: string };

/** What stands behind the pieces of an answer. */
export type AttributeOrigins = {
  readonly found: Authorization;
  readonly nas: NasRecord;
  readonly nowMs: number;
  /** With the octets that tell them, and the pool they are of. */
  readonly leased: readonly {
    readonly attribute: NasAttribute;
    readonly address: AddressRecord;
    readonly pool: string;
  }[];
};

/** Each in the order of the answer. Of equal ones the narrower rule has its say, as in the answer itself. */
export function explainAttributes(
  dictionary: Dictionary,
  attributes: readonly NasAttribute[],
  origins: AttributeOrigins,
): ExplainedAttribute[] {
  const rules = rulesOf(origins);
  return attributes.flatMap((one) => {
    const [source, rule] = rules.get(contentOf(one)) ?? fixedRule(one, origins);
    return showAttributes(dictionary, [one]).map((shown) => ({ ...shown, source, rule }));
  });
}

/** Hidden values read `***`, and so does a Class: who has one can speak for its session. */
export function showAttributes(dictionary: Dictionary, attributes: readonly NasAttribute[]): ShownAttribute[] {
  return attributes.flatMap((one) => typed(dictionary, packetWith([one])));
}

/** The same of a packet as it was sent, without what signs it. */
export function showPacket(dictionary: Dictionary, packet: Packet): ShownAttribute[] {
  return typed(dictionary, packet).filter(({ name }) => name !== 'Message-Authenticator');
}

function typed(dictionary: Dictionary, packet: Packet): ShownAttribute[] {
  return typedAttributes(packet, dictionary).map(({ name, tag, value, vendor, type }) => ({
    name: tag > 0 ? `${name}:${tag}` : name,
    value: vendor === 0 && type === attribute.class ? '***' : value,
  }));
}

const noSecret = createSecret(Buffer.alloc(1));

function packetWith(attributes: readonly NasAttribute[]): Packet {
  const builder = createPacketBuilder();
  builder.begin(code.accessAccept, 0);
  for (const { vendor, type, value } of attributes) {
    if (vendor === 0) builder.add(type, value);
    else builder.addVendor(vendor, type, value);
  }
  if (!builder.finishReply(Buffer.alloc(16), 0, noSecret)) throw new Error('an attribute of an answer fits no packet');
  const packet = decodePacket(Buffer.from(builder.data.subarray(0, builder.length())));
  if (!packet.ok) throw new Error(`an attribute of an answer is ${packet.reason}`);
  return packet;
}

type Rule = readonly [AttributeSource, string];

function rulesOf({ found, nas, leased }: AttributeOrigins): Map<string, Rule> {
  const { plan, subscription, reply } = found;
  const rules = new Map<string, Rule>();
  const add = (list: readonly NasAttribute[] | undefined, ...rule: Rule) => {
    for (const one of list ?? []) rules.set(contentOf(one), rule);
  };
  add(nas.attributes, 'nas_attribute', `reply attributes of the access server ${nas.name}`);
  add(plan.attributes, 'tariff_attribute', `reply attributes of tariff ${plan.id}`);
  add(subscription.attributes, 'subscription_attribute', `reply attributes of subscription ${subscription.id}`);
  for (const { attribute: one, address, pool } of leased) {
    rules.set(contentOf(one), ['pool', `${address.prefix} would be leased from pool ${pool}`]);
  }
  add(reply.addresses, 'static_address', `an address of subscription ${subscription.id}`);
  add(reply.speed?.attributes, 'speed', speedRule(found, nas));
  return rules;
}

/** What every Accept has, whatever its content. */
function fixedRule({ vendor, type }: NasAttribute, { found, nowMs }: AttributeOrigins): Rule {
  const { plan, subscription } = found;
  if (vendor === 0 && type === attribute.sessionTimeout) {
    const expiryMs = (subscription.paidUntilMs ?? 0) + plan.graceMs;
    const early = expiryMs - nowMs > 3_600_000 ? ', up to ten minutes early so that not all come back at once' : '';
    const grace = plan.graceMs > 0 ? ' and the grace of the tariff' : '';
    return ['session_timeout', `until paid_until${grace}, ${instant(expiryMs)}${early}`];
  }
  if (vendor === 0 && type === attribute.acctInterimInterval) {
    return [
      'interim_interval',
      `interim_interval_s of tariff ${plan.id} is ${plan.interimIntervalS}, give or take a fifth`,
    ];
  }
  if (vendor === 0 && type === attribute.class)
    return ['class', 'ties the accounting to this login, made anew each time'];
  throw new Error(`attribute ${vendor}.${type} of an answer has no rule`);
}

function speedRule({ outcome, decided, plan, subscription, reply }: Authorization, nas: NasRecord): string {
  const told = nasTelling(nas, reply.speed?.match === 'nearest');
  if (outcome !== decided) return `what was last applied, while the brake holds a change back, ${told}`;
  switch (outcome.kind) {
    case 'accept':
      return `speed of tariff ${plan.id}, ${told}`;
    case 'throttle':
      return outcome.reason === 'fup'
        ? `${fupRule(plan, outcome.speed)}, ${told}`
        : `suspended speed of tariff ${plan.id} because of ${outcome.reason} of subscription ${subscription.id}, ${told}`;
    case 'walled_garden':
      return `suspended speed of tariff ${plan.id} in the walled garden because of ${outcome.reason}, ${told}`;
    case 'reject':
      throw new Error(`${formatOutcome(outcome)} has no speed`);
  }
  return outcome satisfies never;
}

function fupRule(plan: PlanRecord, speed: { readonly upBps: number; readonly downBps: number }): string {
  const at = plan.fupRules.findIndex(({ effect }) => {
    const left = speedUnder(effect, plan.speed);
    return left !== null && isSameSpeed(left, speed);
  });
  const rule = plan.fupRules[at];
  if (!rule) return `fair-use rules of tariff ${plan.id}`;
  return `fair-use rule ${at + 1} of tariff ${plan.id} (${rule.thresholdBytes} bytes ${rule.direction} a ${rule.window})`;
}

function nasTelling({ vendor, speedWay, policies = [] }: NasRecord, nearest: boolean): string {
  const way = speedWay ? `speed_way of the access server is ${speedWay}` : 'as usual for the vendor';
  const instead = nearest ? `; of its ${policies.length} policies none has this speed, the nearest stands in` : '';
  return `told as vendor ${vendor} understands it (${way}${instead})`;
}

function contentOf({ vendor, type, value }: NasAttribute): string {
  if (typeof value === 'number') return `${vendor}.${type}=${value.toString(16).padStart(8, '0')}`;
  return `${vendor}.${type}=${Buffer.from(value).toString('hex')}`;
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
