// Decodes datagrams with a decoder of its own and gives the flows as plain objects, so that tests compare values.
import { clearColumns, createColumns, type FlowColumns } from '#flow-collector/wire/columns.ts';
import { type CountName, countNames } from '#flow-collector/wire/counts.ts';
import { createDecoder, type DecodeResult, type Decoder, type DecoderOptions } from '#flow-collector/wire/decoder.ts';
import { createExporter, type Exporter } from '#flow-collector/wire/exporter.ts';

const plain = [
  'exporter',
  'version',
  'receivedAt',
  'startedAt',
  'endedAt',
  'bytes',
  'packets',
  'samplingRate',
  'flags',
  'family',
  'natFamily',
  'srcPort',
  'dstPort',
  'srcNatPort',
  'dstNatPort',
  'protocol',
  'tcpFlags',
  'tos',
  'direction',
  'inIf',
  'outIf',
  'srcAs',
  'dstAs',
] as const;

type Plain = (typeof plain)[number];
export type Flow = Record<Plain, number> & Record<'src' | 'dst' | 'srcNat' | 'dstNat', string>;

/** IPv4 dotted, IPv6 as eight groups in full, '' without an address. */
export function addressText(family: number, four: Uint32Array, six: Uint32Array, row: number): string {
  if (family === 0) return '';
  if (family === 4) return [24, 16, 8, 0].map((shift) => (four[row]! >>> shift) & 255).join('.');
  return [...six.subarray(row * 4, row * 4 + 4)]
    .flatMap((word) => [(word >>> 16).toString(16), (word & 0xffff).toString(16)])
    .join(':');
}

export function flowAt(columns: FlowColumns, row: number): Flow {
  const numbers = Object.fromEntries(plain.map((name) => [name, columns[name][row]!])) as Record<Plain, number>;
  const { family, natFamily } = numbers;
  return {
    ...numbers,
    src: addressText(family, columns.src4, columns.src6, row),
    dst: addressText(family, columns.dst4, columns.dst6, row),
    srcNat: addressText(natFamily, columns.srcNat4, columns.srcNat6, row),
    dstNat: addressText(natFamily, columns.dstNat4, columns.dstNat6, row),
  };
}

export type FlowReader = {
  readonly decoder: Decoder;
  readonly exporter: Exporter;
  /** Every flow so far. */
  readonly flows: Flow[];
  /** The datagram lies in the middle of other octets, as in a receive buffer. */
  read(datagram: Buffer, receivedAtMs: number, exporter?: Exporter): DecodeResult;
  /** Moves rows that came without a `read` to `flows`. */
  take(): void;
  /** The counts of `exporter` that are not 0. */
  counts(exporter?: Exporter): Partial<Record<CountName, number>>;
};

export type ReaderOptions = Pick<DecoderOptions, 'limits' | 'onLearned'> & {
  capacity?: number;
  exporter?: Exporter;
  /** Value of the octets around the datagram. */
  surroundings?: number;
};

export function createFlowReader({
  capacity = 7,
  exporter = createExporter('192.0.2.1', 3),
  surroundings = 0xa5,
  ...options
}: ReaderOptions = {}): FlowReader {
  const columns = createColumns(capacity);
  const flows: Flow[] = [];
  const take = () => {
    for (let row = 0; row < columns.count; row++) flows.push(flowAt(columns, row));
    clearColumns(columns);
  };
  const decoder = createDecoder({ columns, onFull: take, ...options });
  return {
    decoder,
    exporter,
    flows,
    take,
    read(datagram, receivedAtMs, from = exporter) {
      const around = Buffer.alloc(64, surroundings);
      const data = Buffer.concat([around, datagram, around]);
      const result = decoder.decode(data, 64, datagram.length, from, receivedAtMs);
      take();
      return result;
    },
    counts(of = exporter) {
      return Object.fromEntries(countNames.map((name, i) => [name, of.counts[i]!] as const).filter(([, n]) => n > 0));
    },
  };
}
