// The attributes that the Accepts of many logins have in common, as octets: one template per access server, tariff and outcome.
import type { NasAttribute } from '#policy/nas/profile.ts';
import { withAdded } from '#policy/nas/reply-attributes.ts';
import type { Authorization } from '../auth/authorize.ts';
import { mayNeed } from '../network/need.ts';
import type { NasRecord } from '../subscribers/records.ts';
import { attribute } from '../wire/attributes.ts';
import { createPacketBuilder } from '../wire/encode.ts';
import { headerLength } from '../wire/packet.ts';

export type ReplyTemplate = {
  readonly nas: NasRecord;
  readonly tenantId: number;
  /** What policy decided, in front of Session-Timeout, Acct-Interim-Interval and Class. */
  readonly head: Uint8Array;
  /** What operators added, behind them. */
  readonly tail: Uint8Array;
  readonly interimIntervalS: number;
  readonly outcome: string;
  /** Its hash, for Class. */
  readonly outcomeWord: number;
};

export type ReplyTemplates = {
  /** Number of the template that answers this login; 0 where it is answered like no other. */
  of(nas: NasRecord, found: Authorization): number;
  at(number: number): ReplyTemplate;
};

const mostTemplates = 10_000;

/** @param onForgotten no number means anything any more */
export function createReplyTemplates(onForgotten: () => void): ReplyTemplates {
  let templates: (ReplyTemplate | undefined)[] = [undefined];
  let numbers = new WeakMap<NasRecord, Map<string, number>>();
  const builder = createPacketBuilder();

  function encoded(attributes: readonly NasAttribute[]): Uint8Array {
    builder.begin(0, 0);
    for (const { vendor, type, value } of attributes) {
      if (vendor === 0) builder.add(type, value);
      else builder.addVendor(vendor, type, value);
    }
    return new Uint8Array(builder.data.subarray(headerLength, builder.length()));
  }

  return {
    of(nas, login) {
      const { outcome, plan, subscription, reply } = login;
      const isOwn = subscription.addresses.length > 0 || (subscription.attributes ?? []).length > 0;
      if (isOwn || mayNeed(login) || outcome.kind === 'reject' || reply.speed?.match !== 'exact') return 0;
      const decided = [...reply.speed.attributes, ...changing];
      const added = withAdded(decided, nas.attributes, plan.attributes).slice(decided.length);
      const [head, tail] = [encoded(reply.speed.attributes), encoded(added)];
      const key = [plan.interimIntervalS, reply.outcomeHash, textOf(head), textOf(tail)].join(' ');
      const found = numbers.get(nas)?.get(key);
      if (found !== undefined) return found;
      if (templates.length > mostTemplates) {
        templates = [undefined];
        numbers = new WeakMap();
        onForgotten();
      }
      const outcomeWord = Number.parseInt(reply.outcomeHash, 16);
      const { interimIntervalS } = plan;
      const { outcomeText } = reply;
      const number =
        templates.push({
          nas,
          tenantId: nas.tenantId,
          head,
          tail,
          interimIntervalS,
          outcome: outcomeText,
          outcomeWord,
        }) - 1;
      const ofNas = numbers.get(nas) ?? new Map<string, number>();
      numbers.set(nas, ofNas.set(key, number));
      return number;
    },
    at(number) {
      const template = templates[number];
      if (!template) throw new Error(`there is no template ${number}`);
      return template;
    },
  };
}

/** Where policy speaks itself, whatever the values. */
const changing: readonly NasAttribute[] = [
  attribute.sessionTimeout,
  attribute.acctInterimInterval,
  attribute.class,
].map((type) => ({ vendor: 0, type, value: 0 }));

function textOf(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}
