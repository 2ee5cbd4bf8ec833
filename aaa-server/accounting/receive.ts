// Turns a decoded Accounting-Request (RFC 2866, 2869) into the record that is kept; everything that depends on the receipt is fixed here.
import { partitionOf, partitionOfSession } from '#policy/ledger/keys.ts';
import type { AccountingKind, AccountingRecord } from '#policy/ledger/types.ts';
import { configuredNas } from '#policy/nas/configured.ts';
import { findOwner } from '../auth/vouched.ts';
import type { AccountingRequest, ReceivedAccounting } from '../radius/request.ts';
import type { SnapshotReader } from '../subscribers/records.ts';
import {
  addressOf,
  attribute,
  firstAttribute,
  integerOf,
  ipv6AddressOf,
  nextAttribute,
  octetsAt,
  prefixOf,
  textOf,
} from '../wire/attributes.ts';
import type { Packet } from '../wire/packet.ts';
import { type ClassContent, verifyClass } from './class.ts';
import { eventTime } from './event-time.ts';
import { octetsOfSession } from './octets-of.ts';

export type ReceiverDeps = {
  readonly snapshot: Pick<SnapshotReader, 'credential'>;
  /** `keyring.derive('class')` */
  readonly classKey: Buffer;
};

const kinds: Readonly<Record<number, AccountingKind>> = { 1: 'start', 2: 'stop', 3: 'interim', 7: 'on', 8: 'off' };

/**
 * RFC 2866 §4.1: a request that is not recorded MUST NOT be answered. So a request without Acct-Status-Type, or without the Acct-Session-Id
 * that §5.13 requires, gets no answer: its sender is broken and its bytes would be lost silently. A status type that carries nothing we
 * record (tunnels, 'failed', a vendor's own) is complete as it is: it is answered and counted, or the NAS would repeat it for ever.
 * On and Off need no Acct-Session-Id: many servers send none, and it names no session.
 */
export function createAccountingReceiver({ snapshot, classKey }: ReceiverDeps) {
  /** What a verified Class says, else the owner of the user name, MAC address or line, fixed now; else nobody. */
  function ownerOf(
    packet: Packet,
    tenantId: number,
    nasInstance: string,
    sessionId: string,
    userName: string,
    proven?: ClassContent,
  ) {
    if (proven) return { partition: proven.partition, subscriptionId: proven.subscriptionId };
    const subscriptionId = sessionId ? findOwner(snapshot, tenantId, userName, packet)?.subscriptionId : undefined;
    return subscriptionId === undefined
      ? { partition: partitionOfSession(tenantId, nasInstance, sessionId), subscriptionId: 0 }
      : { partition: partitionOf(tenantId, subscriptionId), subscriptionId };
  }

  return function receive(request: AccountingRequest): ReceivedAccounting {
    const { packet, nas, sourceAddress, receivedAtMs } = request;
    const statusType = integerOf(packet, attribute.acctStatusType);
    if (statusType === undefined) return { ok: false, reason: 'no_status_type', ack: false };
    const kind = kinds[statusType];
    if (!kind) return { ok: false, reason: 'unsupported_status_type', ack: true };
    const ofSession = kind !== 'on' && kind !== 'off';
    const sessionId = ofSession ? (textOf(packet, attribute.acctSessionId, 'latin1') ?? '') : '';
    if (ofSession && sessionId === '') return { ok: false, reason: 'no_session_id', ack: false };

    const nasInstance = nasInstanceOf(request);
    const userName = ofSession ? (textOf(packet, attribute.userName) ?? '') : '';
    const proven = ofSession ? provenClass(packet, nas.tenantId, classKey) : undefined;
    const counters = octetsOfSession(packet, configuredNas(nas));
    const record: AccountingRecord = {
      kind,
      receivedAtMs,
      eventAtMs: eventTime(
        receivedAtMs,
        integerOf(packet, attribute.eventTimestamp),
        integerOf(packet, attribute.acctDelayTime),
      ),
      tenantId: nas.tenantId,
      nasId: nas.id,
      nasInstance,
      sessionId,
      ...ownerOf(packet, nas.tenantId, nasInstance, sessionId, userName, proven),
      classUuid: proven?.uuid ?? '',
      loginOutcomeHash: proven?.outcomeHash ?? '',
      userName,
      sessionTimeS: integerOf(packet, attribute.acctSessionTime) ?? null,
      ...counters,
      sourceAddress,
      nasIpAddress: addressOf(packet, attribute.nasIpAddress) ?? '',
      nasPort: String(integerOf(packet, attribute.nasPort) ?? ''),
      nasPortId: textOf(packet, attribute.nasPortId) ?? '',
      framedIp: addressOf(packet, attribute.framedIpAddress) ?? '',
      framedIpv6Prefix: framedPrefix(packet),
      delegatedIpv6Prefix: prefixOf(packet, attribute.delegatedIpv6Prefix) ?? '',
      callingStationId: textOf(packet, attribute.callingStationId) ?? '',
      calledStationId: textOf(packet, attribute.calledStationId) ?? '',
      terminateCause: String(integerOf(packet, attribute.acctTerminateCause) ?? ''),
    };
    return { ok: true, record };
  };
}

/** The record's id, and where several devices stand behind it also which of them: NAS-Identifier, else the source address. */
export function nasInstanceOf({ packet, nas, several, sourceAddress }: AccountingRequest): string {
  if (!several) return String(nas.id);
  return `${nas.id}/${textOf(packet, attribute.nasIdentifier) || sourceAddress}`;
}

/** The first Class that is ours; a NAS may carry others beside it. */
function provenClass(packet: Packet, tenantId: number, key: Buffer): ClassContent | undefined {
  for (let at = firstAttribute(packet, attribute.class); at >= 0; at = nextAttribute(packet, at)) {
    const content = verifyClass(key, tenantId, octetsAt(packet, at));
    if (content) return content;
  }
  return undefined;
}

/** The prefix of the subscriber's link, else its one address. */
function framedPrefix(packet: Packet): string {
  const prefix = prefixOf(packet, attribute.framedIpv6Prefix);
  if (prefix !== undefined) return prefix;
  const address = ipv6AddressOf(packet, attribute.framedIpv6Address);
  return address === undefined ? '' : `${address}/128`;
}
