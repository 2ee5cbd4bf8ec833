// One datagram of every kind that exporters send, for fuzzing: templates and data together, so that mutations reach both.
import {
  commonFields,
  commonValues,
  datagram9,
  dataSet,
  exportedAtMs,
  type FieldSpec,
  ip4,
  ip6,
  optionsTemplateSet,
  set,
  templateSet,
  uptimeMs,
  variable,
} from './encode9.ts';

const inside = ip4('10.0.0.1');
const server = ip4('198.51.100.7');
const outside = ip4('203.0.113.9');
const a6 = ip6('2001:db8:0:0:0:0:0:1');
const b6 = ip6('2001:db8:0:0:0:0:0:2');

const version5 = () => {
  const data = Buffer.alloc(24 + 3 * 48, 7);
  data.writeUInt16BE(5, 0);
  data.writeUInt16BE(3, 2);
  data.writeUInt32BE(uptimeMs, 4);
  data.writeUInt32BE(exportedAtMs / 1000, 8);
  return data;
};

const withTemplate = (fields: readonly FieldSpec[], ...records: Parameters<typeof dataSet>[2]) =>
  datagram9([templateSet(256, fields), dataSet(256, fields, records, 2)]);

export const samples: Readonly<Record<string, Buffer>> = {
  'version 5': version5(),
  common: withTemplate(commonFields, commonValues, commonValues),
  'both families': withTemplate(
    [
      [8, 4],
      [12, 4],
      [27, 16],
      [28, 16],
      [60, 1],
      [1, 8],
    ],
    [inside, server, Buffer.alloc(16), Buffer.alloc(16), 4, 5],
    [Buffer.alloc(4), Buffer.alloc(4), a6, b6, 6, 2n ** 60n],
  ),
  translated: withTemplate(
    [
      [8, 4],
      [12, 4],
      [225, 4],
      [226, 4],
      [227, 2],
      [228, 2],
      [1, 3],
      [152, 8],
      [153, 8],
    ],
    [inside, server, outside, server, 2000, 443, 70_000, exportedAtMs - 5, exportedAtMs],
  ),
  'translated IPv6': withTemplate(
    [
      [27, 16],
      [28, 16],
      [281, 16],
      [282, 16],
      [2, 5],
      [154, 8],
      [159, 4],
    ],
    [a6, b6, b6, a6, 9, 0xeb000000_00000000n, 1000],
  ),
  'firewall connections': withTemplate(
    [
      [148, 4],
      [8, 4],
      [12, 4],
      [225, 4],
      [226, 4],
      [233, 1],
      [231, 6],
      [232, 7],
    ],
    [1, inside, server, outside, server, 5, 100, 200],
    [1, inside, server, outside, server, 2, 100, 200],
    [2, inside, server, outside, server, 2, 50, 0],
  ),
  'NAT log': withTemplate(
    [
      [8, 4],
      [225, 4],
      [230, 1],
      [323, 8],
      [1, 4],
    ],
    [inside, outside, 4, exportedAtMs, 0],
    [inside, outside, 0, exportedAtMs, 77],
  ),
  'variable lengths': withTemplate(
    [
      [82, variable],
      [8, 4],
      [1, 4],
      [83, variable],
      [34, 4],
    ],
    [Buffer.from('ge-0/0/1'), inside, 100, Buffer.alloc(300, 65), 10],
    [Buffer.alloc(0), inside, 200, Buffer.from('x'), 0],
  ),
  options: datagram9([
    optionsTemplateSet(
      300,
      [
        [1, 4],
        [2, 2],
      ],
      [
        [48, 1],
        [50, 4],
        [84, variable],
      ],
    ),
    dataSet(
      300,
      [
        [1, 4],
        [2, 2],
        [48, 1],
        [50, 4],
        [84, variable],
      ],
      [
        [0, 0, 1, 100, Buffer.from('one')],
        [0, 0, 2, 200, Buffer.from('two')],
      ],
    ),
    templateSet(256, [
      [8, 4],
      [1, 4],
      [48, 1],
    ]),
    dataSet(
      256,
      [
        [8, 4],
        [1, 4],
        [48, 1],
      ],
      [
        [inside, 1, 1],
        [inside, 2, 9],
      ],
    ),
  ]),
  'data before its template': datagram9([
    dataSet(256, commonFields, [commonValues, commonValues]),
    templateSet(256, commonFields),
    dataSet(256, commonFields, [commonValues]),
    templateSet(257, [
      [8, 0],
      [1, 0],
    ]),
    set(257, Buffer.alloc(9)),
  ]),
};
