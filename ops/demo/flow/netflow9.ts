// Writes NetFlow version 9 export packets (RFC 3954): header, template FlowSet, data FlowSets.
import { Buffer } from 'node:buffer';

export type Field = { readonly type: number; readonly length: number };

export type Template = { readonly id: number; readonly fields: readonly Field[] };

/** One value per field of the template: a number, or octets of the field's length. */
export type DataRecord = readonly (number | Uint8Array)[];

export type ExportHeader = {
  /** Milliseconds since the exporter was started. */
  readonly sysUptimeMs: number;
  readonly unixS: number;
  /** Of this packet: one more than the one before, lost or not (§5.1). */
  readonly sequence: number;
  readonly sourceId: number;
};

const version = 9;
const headerLength = 20;
const flowSetHeader = 4;

/**
 * The packet with the template, when it is to be sent, before `records` of it. Count is the number of records of both kinds (§5.1);
 * FlowSets are padded to 32 bits (§5.3).
 */
export function encodeExport(
  header: ExportHeader,
  template: Template,
  records: readonly DataRecord[],
  withTemplate: boolean,
): Buffer {
  const parts: Buffer[] = [];
  if (withTemplate) parts.push(templateFlowSet(template));
  if (records.length > 0) parts.push(dataFlowSet(template, records));
  const head = Buffer.alloc(headerLength);
  head.writeUInt16BE(version, 0);
  head.writeUInt16BE(records.length + (withTemplate ? 1 : 0), 2);
  head.writeUInt32BE(header.sysUptimeMs % 2 ** 32, 4);
  head.writeUInt32BE(header.unixS, 8);
  head.writeUInt32BE(header.sequence % 2 ** 32, 12);
  head.writeUInt32BE(header.sourceId, 16);
  return Buffer.concat([head, ...parts]);
}

/** §5.2: FlowSet id 0. */
function templateFlowSet({ id, fields }: Template): Buffer {
  const set = Buffer.alloc(flowSetHeader + 4 + fields.length * 4);
  set.writeUInt16BE(0, 0);
  set.writeUInt16BE(set.length, 2);
  set.writeUInt16BE(id, 4);
  set.writeUInt16BE(fields.length, 6);
  for (const [place, { type, length }] of fields.entries()) {
    set.writeUInt16BE(type, 8 + place * 4);
    set.writeUInt16BE(length, 10 + place * 4);
  }
  return set;
}

/** §5.3: FlowSet id = template id. */
function dataFlowSet({ id, fields }: Template, records: readonly DataRecord[]): Buffer {
  const recordLength = fields.reduce((sum, { length }) => sum + length, 0);
  const length = flowSetHeader + records.length * recordLength;
  const set = Buffer.alloc(Math.ceil(length / 4) * 4);
  set.writeUInt16BE(id, 0);
  set.writeUInt16BE(set.length, 2);
  let at = flowSetHeader;
  for (const record of records) {
    for (const [place, field] of fields.entries()) {
      write(set, at, field, record[place] ?? 0);
      at += field.length;
    }
  }
  return set;
}

/** Unsigned, big endian; a number of eight octets is below 2^53. */
function write(set: Buffer, at: number, { type, length }: Field, value: number | Uint8Array): void {
  if (typeof value !== 'number') {
    if (value.length !== length) throw new Error(`field ${type} takes ${length} octets, not ${value.length}`);
    set.set(value, at);
  } else if (length === 8) set.writeBigUInt64BE(BigInt(value), at);
  else set.writeUIntBE(value, at, length);
}
