// What a worker counts: names and the layout of one shared array per worker, which the main thread sums for /metrics.
import { type CounterFamilies, counterLayout, createCounterBuffer, sumAt } from '#ops/runtime/shared-counters.ts';
import { udpEvents } from '#ops/runtime/udp.ts';
import { rejectReasons } from '#policy/access/outcome.ts';
import { gateRefusals } from './network/gate.ts';
import { malformedReasons } from './wire/packet.ts';

/** Why an Access-Request is rejected, beside the reasons of the access table. */
export const loginFailures = [
  'no_user_name',
  'no_password',
  'unsupported_method',
  'unknown_user',
  'wrong_password',
  ...gateRefusals,
  'speed_policy_missing',
  'home_server_rejected',
  'home_server_unreachable',
  'unsuitable_scheme',
  'eap_malformed',
  'eap_no_common_method',
  'eap_state_unknown',
  'eap_tls_failed',
  'certificate_refused',
  'eap_tls_not_of_tenant',
  'device_login_refused',
  'nas_draining',
] as const;
export type LoginFailure = (typeof loginFailures)[number];

/** What became of logins of staff to the device itself. */
export const deviceLoginResults = [
  'accepted',
  'unknown_user',
  'wrong_password',
  'no_password',
  'unsuitable_scheme',
  'disabled',
  'expired',
  'elsewhere',
  'throttled',
] as const;
export type DeviceLoginResult = (typeof deviceLoginResults)[number];

/** Why a packet gets no answer. */
export const dropReasons = [
  ...malformedReasons,
  'unknown_client',
  'unexpected_code',
  'bad_request_authenticator',
  'bad_message_authenticator',
  'message_authenticator_required',
  'message_authenticator_required_by_eap',
  'message_authenticator_required_by_proxy_state',
  'message_authenticator_required_by_status_server',
  'eap_with_password',
  'overload',
  'password_malformed',
  'two_passwords',
  'stored_password_unreadable',
  'password_scheme_unavailable',
  'password_hash_busy',
  'eap_unexpected',
  'snapshot_incomplete',
  'addresses_unavailable',
  'too_many_in_progress',
  'nas_draining',
  'accounting_refused',
  'accounting_not_durable',
  'reply_too_long',
  'proxy_loop',
  'proxy_too_many_hops',
  'proxy_unreachable',
  'proxy_busy',
  'proxy_too_long',
  'handler_error',
] as const;
export type DropReason = (typeof dropReasons)[number];

export const counterFamilies = {
  requests: {
    name: 'lastmile_radius_requests_total',
    help: 'Requests of known access servers, by kind, duplicates included',
    label: 'kind',
    values: ['access', 'accounting', 'status'],
  },
  replies: {
    name: 'lastmile_radius_replies_total',
    help: 'Replies, by code (status = either code, to a Status-Server), re-sent ones not included',
    label: 'code',
    values: ['access_accept', 'access_reject', 'access_challenge', 'accounting_response', 'status'],
  },
  rejects: {
    name: 'lastmile_radius_rejects_total',
    help: 'Access-Rejects, by reason',
    label: 'reason',
    values: [...loginFailures, ...rejectReasons],
  },
  drops: {
    name: 'lastmile_radius_dropped_total',
    help: 'Packets that got no answer, by reason',
    label: 'reason',
    values: dropReasons,
  },
  duplicates: {
    name: 'lastmile_radius_duplicates_total',
    help: 'Retransmissions: answered from memory (resent) or dropped because the first is still being worked on',
    label: 'state',
    values: ['resent', 'in_progress'],
  },
  signs: {
    name: 'lastmile_radius_signs_total',
    help: 'Signs of trouble: likely_wrong_secret = a PAP password that decrypts to rubbish; reject_delay_full = a reject that did not wait; speed_policy_nearest = a login that got the next lower speed because the access server has no policy of its own',
    label: 'sign',
    values: ['likely_wrong_secret', 'reject_delay_full', 'speed_policy_nearest'],
  },
  radsecRefused: {
    name: 'lastmile_radsec_refused_total',
    help: 'RadSec connections refused before their first packet, by reason',
    label: 'reason',
    values: [
      'too_many_connections',
      'too_many_of_address',
      'handshake_timeout',
      'handshake_failed',
      'handshake_broken_off',
      'no_certificate',
      'certificate_expired',
      'certificate_revoked',
      'certificate_untrusted',
      'crl_unusable',
      'tls_version',
      'unknown_nas',
    ],
  },
  radsecClosed: {
    name: 'lastmile_radsec_closed_total',
    help: 'RadSec connections that ended, by reason; cut_off = within a packet, recheck = certificates are looked at again',
    label: 'reason',
    values: [
      ...malformedReasons,
      'bad_frame',
      'bad_request_authenticator',
      'bad_message_authenticator',
      'bad_coa_answer',
      'not_translatable',
      'packet_timeout',
      'idle',
      'not_reading',
      'peer',
      'cut_off',
      'connection_error',
      'nas_gone',
      'recheck',
      'stopped',
    ],
  },
  radsecEvents: {
    name: 'lastmile_radsec_events_total',
    help: 'What happens on RadSec connections: opened ones by version; answers that came too late or answer nothing',
    label: 'event',
    values: ['opened', 'opened_radius_1_1', 'answer_too_late', 'stray_answer', 'reply_not_translatable'],
  },
  eap: {
    name: 'lastmile_radius_eap_total',
    help: 'EAP: conversations started, responses repeated, packets handed over to the worker that leads their conversation (a request to both), conversations that made room for a new one, and those cut off by a stop',
    label: 'event',
    values: ['started', 'repeated', 'handed_over', 'evicted', 'cut'],
  },
  remembered: {
    name: 'lastmile_radius_remembered_logins_total',
    help: 'Logins and what was remembered of them: answered = from memory alone; kept = remembered from then on; any other was decided anew, by reason (unproven = without a Message-Authenticator, unknown = never kept or displaced, changed = its records, its access server or its time, unmarked = nothing tells what changes)',
    label: 'event',
    values: [
      'answered',
      'kept',
      'unproven',
      'other_method',
      'unknown',
      'changed',
      'other_password',
      'mirror_behind',
      'unmarked',
    ],
  },
  deviceLogins: {
    name: 'lastmile_device_logins_total',
    help: 'Logins of staff to the device itself, by result; elsewhere = not at this access server, throttled = too many tries',
    label: 'result',
    values: deviceLoginResults,
  },
  udp: {
    name: 'lastmile_radius_udp_events_total',
    help: 'Datagrams not taken or not sent, by reason',
    label: 'event',
    values: udpEvents,
  },
} as const satisfies CounterFamilies;

export type CounterFamily = keyof typeof counterFamilies;
export type CounterValue<F extends CounterFamily> = (typeof counterFamilies)[F]['values'][number];
/** Upper bounds in seconds; one more bucket holds what is slower. */
export const durationBuckets = [
  0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5,
] as const;
export const durationKinds = ['access', 'accounting'] as const;
export type DurationKind = (typeof durationKinds)[number];
/** Per kind: the buckets, one for what is slower, the sum in seconds. */
const durationSlots = durationBuckets.length + 2;

export const counterPlaces = counterLayout(counterFamilies);
const durationStart = counterPlaces.size;
const total = counterPlaces.size + durationKinds.length * durationSlots;

export type Counters = {
  /** Doubles, written by one thread only; a reader sees each of them whole. */
  readonly array: Float64Array<SharedArrayBuffer>;
  count<F extends CounterFamily>(family: F, value: CounterValue<F>): void;
  observe(kind: DurationKind, seconds: number): void;
};

export function createCounters(buffer: SharedArrayBuffer = createRadiusCounterBuffer()): Counters {
  const array = new Float64Array(buffer);
  // A nested look-up by constant strings: no text is built per packet.
  const indexes = Object.fromEntries(
    Object.entries(counterFamilies).map(([family, { values }]) => [
      family,
      Object.fromEntries(values.map((value) => [value, counterPlaces.offset(family as CounterFamily, value)])),
    ]),
  ) as Record<string, Record<string, number>>;
  return {
    array,
    count(family, value) {
      const index = indexes[family]?.[value];
      if (index !== undefined) array[index] = (array[index] ?? 0) + 1;
    },
    observe(kind, seconds) {
      const start = durationStart + durationKinds.indexOf(kind) * durationSlots;
      let bucket = 0;
      while (bucket < durationBuckets.length && seconds > (durationBuckets[bucket] ?? 0)) bucket++;
      array[start + bucket] = (array[start + bucket] ?? 0) + 1;
      const sum = start + durationSlots - 1;
      array[sum] = (array[sum] ?? 0) + seconds;
    },
  };
}

export function createRadiusCounterBuffer(): SharedArrayBuffer {
  return createCounterBuffer(total);
}

/** Sum of a counter over workers. */
export function sumOf<F extends CounterFamily>(
  arrays: readonly Float64Array[],
  family: F,
  value: CounterValue<F>,
): number {
  return sumAt(arrays, counterPlaces.offset(family, value));
}

/** Cumulative bucket counts (the last is the number of observations) and the sum of seconds over workers. */
export function durationsOf(
  arrays: readonly Float64Array[],
  kind: DurationKind,
): { readonly cumulative: readonly number[]; readonly sum: number } {
  const start = durationStart + durationKinds.indexOf(kind) * durationSlots;
  let running = 0;
  const cumulative = Array.from({ length: durationBuckets.length + 1 }, (_, bucket) => {
    running += sumAt(arrays, start + bucket);
    return running;
  });
  return { cumulative, sum: sumAt(arrays, start + durationSlots - 1) };
}
