// Writes NetFlow version 9 datagrams (RFC 3954) for tests: the counterpart of the decoder, which has none.

export type FieldSpec = readonly [element: number, length: number];
/** Octets of a value, or a number that is written to as many octets as its field has. */
export type Value = number | bigint | Buffer;

export const variable = 65535;

export type Header9 = { uptimeMs?: number; unixS?: number; sequence?: number; sourceId?: number; count?: number };

export const unixS = 1_700_000_000;
export const uptimeMs = 5_000_000;
/** When a datagram with the default header left. */
export const exportedAtMs = unixS * 1000;

export function datagram9(sets: readonly Buffer[], header: Header9 = {}): Buffer {
  const data = Buffer.alloc(20);
  data.writeUInt16BE(9, 0);
  data.writeUInt16BE(header.count ?? sets.length, 2);
  data.writeUInt32BE(header.uptimeMs ?? uptimeMs, 4);
  data.writeUInt32BE(header.unixS ?? unixS, 8);
  data.writeUInt32BE((header.sequence ?? 0) >>> 0, 12);
  data.writeUInt32BE(header.sourceId ?? 0, 16);
  return Buffer.concat([data, ...sets]);
}

export function set(id: number, content: Buffer, padding = 0): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(id, 0);
  head.writeUInt16BE(4 + content.length + padding, 2);
  return Buffer.concat([head, content, Buffer.alloc(padding)]);
}

const shorts = (...values: readonly number[]) => {
  const data = Buffer.alloc(values.length * 2);
  values.forEach((value, i) => {
    data.writeUInt16BE(value, i * 2);
  });
  return data;
};

export function template(id: number, fields: readonly FieldSpec[]): Buffer {
  return shorts(id, fields.length, ...fields.flat());
}

export function templateSet(id: number, fields: readonly FieldSpec[], padding = 0): Buffer {
  return set(0, template(id, fields), padding);
}

/** `scopes` are scope types of version 9: 1 system, 2 interface, 3 line card, 4 cache, 5 template. */
export function optionsTemplateSet(id: number, scopes: readonly FieldSpec[], options: readonly FieldSpec[]): Buffer {
  return set(1, shorts(id, scopes.length * 4, options.length * 4, ...scopes.flat(), ...options.flat()));
}

export function field(value: Value, length: number): Buffer {
  if (Buffer.isBuffer(value)) {
    if (length !== variable) return value;
    return Buffer.concat([
      value.length < 255 ? Buffer.from([value.length]) : Buffer.concat([Buffer.from([255]), shorts(value.length)]),
      value,
    ]);
  }
  const hex = BigInt(value)
    .toString(16)
    .padStart(length * 2, '0');
  return Buffer.from(length === 0 ? '' : hex.slice(-length * 2), 'hex');
}

/** The octets of a record: one value per field. */
export function record(fields: readonly FieldSpec[], values: readonly Value[]): Buffer {
  return Buffer.concat(fields.map(([, length], i) => field(values[i] ?? 0, length)));
}

export function dataSet(
  id: number,
  fields: readonly FieldSpec[],
  records: readonly (readonly Value[])[],
  padding = 0,
): Buffer {
  return set(id, Buffer.concat(records.map((values) => record(fields, values))), padding);
}

export const ip4 = (text: string) => Buffer.from(text.split('.').map(Number));
export const ip6 = (groups: string) =>
  Buffer.from(
    groups
      .split(':')
      .map((g) => g.padStart(4, '0'))
      .join(''),
    'hex',
  );

/** What most routers send, without padding: 45 octets. */
export const commonFields: readonly FieldSpec[] = [
  [8, 4],
  [12, 4],
  [1, 4],
  [2, 4],
  [22, 4],
  [21, 4],
  [7, 2],
  [11, 2],
  [4, 1],
  [5, 1],
  [6, 1],
  [10, 2],
  [14, 2],
  [16, 4],
  [17, 4],
  [61, 1],
  [89, 1],
];
export const commonValues: readonly Value[] = [
  ip4('10.0.0.1'),
  ip4('198.51.100.7'),
  13_500,
  12,
  uptimeMs - 15_471,
  uptimeMs - 1,
  51_000,
  443,
  6,
  0x28,
  0x1b,
  1,
  2,
  65_000,
  4_200_000_001,
  0,
  0x40,
];
