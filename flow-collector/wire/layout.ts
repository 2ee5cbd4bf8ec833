// Where the fields of a record lie, and the source text that reads them: the part of a compiled decoder that knows octets.
import {
  type AddressName,
  addressElements,
  type NumberName,
  numberElements,
  type TimeKind,
  timeLengths,
} from './elements.ts';

/** One field of a template: a number of the element and its octets; `variableLength` = a length precedes the value (RFC 7011 §7). */
export type Field = { readonly element: number; readonly length: number };

export const variableLength = 65535;
/** Of one column: a template that repeats an element more often than this is read at the first ones. */
const maxCandidates = 4;

type Located = { readonly element: number; readonly length: number; readonly at: string };

export type Layout = {
  /** Octets of the shortest record; exact when nothing is of variable length. */
  readonly minLength: number;
  readonly isFixed: boolean;
  /** Statements that find the fields behind those of variable length and `next`, the record's end; they `break` when it is beyond `end`. */
  readonly locate: string;
  /** Expressions of every field that carries `name` as a number, best first. */
  numbers(name: NumberName): readonly string[];
  /** Expressions of the 1 or 4 words of the address, undefined without it. */
  address(name: AddressName): readonly string[] | undefined;
  /** Expression of the instant in UTC ms, undefined without it. */
  time(candidates: readonly { element: number; kind: TimeKind }[]): string | undefined;
};

/** Numbers whose columns hold at most 32 bits: of longer fields the last octets count. */
const isWide: ReadonlySet<NumberName> = new Set([
  'bytes',
  'packets',
  'totalBytes',
  'totalPackets',
  'initiatorBytes',
  'initiatorPackets',
  'responderBytes',
  'responderPackets',
]);

/** @throws RangeError when a number is none of 16 bits: what is put into source text has been checked here. */
export function layOut(fields: readonly Field[]): Layout {
  const located: Located[] = [];
  let minLength = 0;
  let base = 'at';
  let offset = 0;
  let variables = 0;
  let locate = '';
  for (const { element, length } of fields) {
    assertUint16(element);
    assertUint16(length);
    if (length === variableLength) {
      const name = `v${++variables}`;
      locate += `let ${name} = ${base} + ${offset}; if (${name} + 1 > end) break;
        { let l = view.getUint8(${name}++); if (l === 255) { if (${name} + 2 > end) break; l = view.getUint16(${name}); ${name} += 2; } ${name} += l; }\n`;
      base = name;
      offset = 0;
      minLength += 1;
    } else {
      located.push({ element, length, at: `${base} + ${offset}` });
      offset += length;
      minLength += length;
    }
  }
  locate += `const next = ${base} + ${offset};${variables > 0 ? ' if (next > end) break;' : ''}\n`;

  const all = (element: number, fits: (length: number) => boolean) =>
    located.filter((field) => field.element === element && fits(field.length));
  return {
    minLength,
    isFixed: variables === 0,
    locate,
    numbers(name) {
      return numberElements[name]
        .flatMap((element) => all(element, (length) => length >= 1 && length <= 8))
        .slice(0, maxCandidates)
        .map((field) => (isWide.has(name) ? readWide(field) : readNarrow(field)));
    },
    address(name) {
      const words = name.endsWith('6') ? 4 : 1;
      const [field] = addressElements[name].flatMap((element) => all(element, (length) => length === words * 4));
      return field && Array.from({ length: words }, (_, i) => `view.getUint32(${field.at} + ${i * 4})`);
    },
    time(candidates) {
      for (const { element, kind } of candidates) {
        const [field] = all(element, (length) => length === timeLengths[kind]);
        if (field) return readTime(field.at, kind);
      }
      return undefined;
    },
  };
}

/** Unsigned integer of 1…8 octets as a double; above 2^53 − 1 it stays there and is counted in `wide`. */
function readWide({ at, length }: Located): string {
  if (length <= 4) return readUnsigned(at, length);
  const high = readUnsigned(at, length - 4);
  const low = `view.getUint32(${at} + ${length - 4})`;
  if (length < 7) return `(${high} * 4294967296 + ${low})`;
  return `((h = ${high}) > 2097151 ? (wide++, 9007199254740991) : h * 4294967296 + ${low})`;
}

function readNarrow({ at, length }: Located): string {
  return length <= 4 ? readUnsigned(at, length) : `view.getUint32(${at} + ${length - 4})`;
}

function readUnsigned(at: string, length: number): string {
  switch (length) {
    case 1:
      return `view.getUint8(${at})`;
    case 2:
      return `view.getUint16(${at})`;
    case 3:
      return `(view.getUint16(${at}) << 8 | view.getUint8(${at} + 2))`;
    default:
      return `view.getUint32(${at})`;
  }
}

function readTime(at: string, kind: TimeKind): string {
  switch (kind) {
    // Signed difference of two counters modulo 2^32: right on whichever side of the wrap either lies.
    case 'uptime':
      return `exportedAt + (view.getUint32(${at}) - uptime | 0)`;
    case 'seconds':
      return `view.getUint32(${at}) * 1000`;
    case 'milliseconds':
      return `(view.getUint32(${at}) * 4294967296 + view.getUint32(${at} + 4))`;
    // Seconds since 1900 and their fraction (RFC 7011 §6.1.9); era 1 begins in 2036.
    case 'ntp':
      return `(((h = view.getUint32(${at})) < 2208988800 ? h + 2085978496 : h - 2208988800) * 1000 + Math.floor(view.getUint32(${at} + 4) / 4294967.296))`;
    case 'microsecondsBefore':
      return `exportedAt - Math.round(view.getUint32(${at}) / 1000)`;
  }
  kind satisfies never;
}

function assertUint16(value: number): void {
  if (!Number.isInteger(value) || value < 0 || value > 65535) throw new RangeError(`no 16-bit number: ${value}`);
}
