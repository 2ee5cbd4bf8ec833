// The outcome in words, for staff who ask why and for subscribers in the portal.
import type { Speed } from '../speed.ts';
import type { Outcome, RestrictReason } from './outcome.ts';

export const reasonSentences: Readonly<Record<RestrictReason | 'fup', string>> = {
  customer_lead: 'The customer is still a lead: service begins when the customer is accepted.',
  customer_blocked: 'The customer is blocked.',
  customer_disabled: 'The customer account is closed.',
  subscription_pending: 'The subscription is not activated yet.',
  subscription_paused: 'The subscription is paused.',
  subscription_disabled: 'The subscription was switched off by the provider.',
  subscription_terminated: 'The subscription has ended.',
  hold_non_payment: 'The service is suspended until an open invoice is paid.',
  hold_fraud: 'The service is suspended because fraud is suspected.',
  hold_abuse: 'The service is suspended because it was abused, often by malware on a device.',
  hold_customer_request: 'The service is suspended at the request of the customer.',
  hold_admin: 'The service is suspended by the provider.',
  expired: 'The paid period is over.',
  fup_blocked: 'The included data is used up.',
  fup: 'The fair-use limit is reached.',
};

/** One or two sentences, e.g. `The paid period is over. Only the customer portal can be reached.` */
export function outcomeSentence(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'accept':
      return `The service runs at ${speedText(outcome.speed)}.`;
    case 'throttle':
      return `${reasonSentences[outcome.reason]} The speed is reduced to ${speedText(outcome.speed)}.`;
    case 'walled_garden':
      return `${reasonSentences[outcome.reason]} Only the customer portal can be reached.`;
    case 'reject':
      return `${reasonSentences[outcome.reason]} Logins are refused.`;
  }
  return outcome satisfies never;
}

function speedText({ upBps, downBps }: Speed): string {
  return `${mbps(downBps)} Mbps down and ${mbps(upBps)} Mbps up`;
}

function mbps(bps: number): string {
  return String(bps / 1_000_000);
}
