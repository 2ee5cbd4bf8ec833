// Where a login comes in, told from its Access-Request as accounting tells it of a session later.
import type { LoginPlace } from '#policy/ledger/login.ts';
import type { NasClient } from '../auth/nas-table.ts';
import { addressOf, attribute, integerOf, textOf } from '../wire/attributes.ts';
import type { Packet } from '../wire/packet.ts';

/** Reads the packet at once: its memory is the driver's. */
export function placeOf(packet: Packet, nas: Pick<NasClient, 'record' | 'several'>): LoginPlace {
  return {
    nasInstance: instanceOf(packet, nas),
    callingStationId: textOf(packet, attribute.callingStationId) ?? '',
    nasPort: String(integerOf(packet, attribute.nasPort) ?? ''),
    nasPortId: textOf(packet, attribute.nasPortId) ?? '',
  };
}

/**
 * The record's id, and which device of several stands behind it. A login does not know the source address that stands in for a missing
 * NAS-Identifier in accounting: NAS-IP-Address does.
 */
function instanceOf(packet: Packet, { record, several }: Pick<NasClient, 'record' | 'several'>): string {
  if (!several) return String(record.id);
  const device = textOf(packet, attribute.nasIdentifier) || addressOf(packet, attribute.nasIpAddress) || '';
  return `${record.id}/${device}`;
}
