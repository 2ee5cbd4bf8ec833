// The lines of FreeRADIUS dictionary files: what each keyword says, and what is wrong with it.
import { type AttributeKind, attributeKinds, type DictionaryAttribute } from './dictionary-attribute.ts';

export type Parsed = {
  readonly attributes: DictionaryAttribute[];
  readonly vendors: Map<string, number>;
  readonly problems: string[];
};

type Draft = DictionaryAttribute & { readonly valueNames: Map<number, string>; readonly values: Map<string, number> };
type Line = { readonly where: string; readonly words: readonly string[] };

/** Types whose values hold attributes of their own: known by name, shown as octets. */
const containers = new Set([
  'tlv',
  'vsa',
  'evs',
  'extended',
  'long-extended',
  'struct',
  'group',
  'abinary',
  'combo-ip',
  'ipv4prefix',
]);
const synonyms: Readonly<Record<string, AttributeKind>> = {
  text: 'string',
  uint8: 'byte',
  uint16: 'short',
  uint32: 'integer',
  uint64: 'integer64',
  int32: 'signed',
  time: 'date',
  ipv4addr: 'ipaddr',
};
/** A plain name within the dictionary folder: no folder, nothing hidden. */
const fileName = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
const maxDepth = 20;

export function parseDictionary(entry: string, read: (file: string) => string | undefined): Parsed {
  const attributes: Draft[] = [];
  const byName = new Map<string, Draft>();
  const vendors = new Map<string, number>();
  const problems: string[] = [];
  /** VALUE lines may come before the ATTRIBUTE they speak of. */
  const values: Line[] = [];

  function parseFile(file: string, from: string, parents: readonly string[]): void {
    if (!fileName.test(file)) return void problems.push(`${from}: ${file} is not a file name of the dictionary folder`);
    if (parents.includes(file)) return void problems.push(`${from}: ${file} includes itself`);
    if (parents.length >= maxDepth) return void problems.push(`${from}: files include each other too deeply`);
    const text = read(file);
    if (text === undefined) return void problems.push(`${from}: there is no file ${file} in the dictionary folder`);
    /** Vendor of the open BEGIN-VENDOR. */
    let vendor = { name: '', id: 0 };
    /** Attributes between BEGIN-TLV and END-TLV lie inside another one. */
    let tlv = 0;
    for (const [index, raw] of text.split(/\r?\n/).entries()) {
      const words = (raw.split('#')[0] ?? '').trim().split(/\s+/);
      const [keyword = '', first = '', second = ''] = words;
      const where = `${file}:${index + 1}`;
      const line = { where, words };
      switch (keyword.toUpperCase()) {
        case '':
          break;
        case '$INCLUDE':
          parseFile(first, where, [...parents, file]);
          break;
        case '$INCLUDE-':
          if (read(first) !== undefined) parseFile(first, where, [...parents, file]);
          break;
        case 'VENDOR':
          parseVendor(line);
          break;
        case 'BEGIN-VENDOR': {
          const id = vendors.get(first);
          if (id === undefined) problems.push(`${where}: vendor ${first} is not defined`);
          else if (vendor.id !== 0) problems.push(`${where}: vendor ${vendor.name} is still open`);
          else vendor = { name: first, id };
          break;
        }
        case 'END-VENDOR':
          if (vendor.id === 0 || first !== vendor.name) problems.push(`${where}: vendor ${first} is not open`);
          vendor = { name: '', id: 0 };
          break;
        case 'BEGIN-TLV':
          tlv++;
          break;
        case 'END-TLV':
          if (tlv-- === 0) problems.push(`${where}: no BEGIN-TLV before`);
          break;
        case 'ATTRIBUTE':
          if (tlv === 0 && !second.includes('.')) parseAttribute(line, vendor.id);
          break;
        case 'VALUE':
          values.push(line);
          break;
        default:
          problems.push(`${where}: ${keyword} is not a keyword of dictionaries`);
      }
    }
    if (vendor.id !== 0) problems.push(`${file}: END-VENDOR ${vendor.name} is missing`);
    if (tlv > 0) problems.push(`${file}: END-TLV is missing`);
  }

  function parseVendor({ where, words }: Line): void {
    const [, name = '', number = '', format] = words;
    const id = numberOf(number);
    if (name === '' || id === undefined || id < 1 || id > 0xff_ffff) {
      return void problems.push(`${where}: VENDOR needs a name and a number from 1 to 16777215`);
    }
    if (format !== undefined && !/^format=1,1$/.test(format)) {
      return void problems.push(`${where}: vendor ${name} has ${format}, only format=1,1 is understood`);
    }
    const known = vendors.get(name);
    if (known !== undefined && known !== id) return void problems.push(`${where}: vendor ${name} is ${known} already`);
    vendors.set(name, id);
  }

  function parseAttribute({ where, words }: Line, openVendor: number): void {
    const [, name = '', number = '', typeText = '', ...flags] = words;
    const type = numberOf(number);
    const vendorFlag = flags.map((flag) => vendors.get(flag)).find((id) => id !== undefined);
    const vendor = vendorFlag ?? openVendor;
    const highest = 255;
    if (name === '' || type === undefined || type < 1 || type > highest) {
      return void problems.push(`${where}: ATTRIBUTE needs a name, a number from 1 to ${highest} and a type`);
    }
    const kind = kindOf(typeText);
    if (!kind) return void problems.push(`${where}: ${name} has the unknown type ${typeText || '(none)'}`);
    const known = byName.get(name.toLowerCase());
    if (known) {
      const same = known.vendor === vendor && known.type === type && known.kind === kind;
      if (!same) problems.push(`${where}: ${name} is defined already, differently`);
      return;
    }
    const encrypted = flags.some((flag) => /(^|,)encrypt=/.test(flag));
    const draft: Draft = { name, vendor, type, kind, encrypted, valueNames: new Map(), values: new Map() };
    attributes.push(draft);
    byName.set(name.toLowerCase(), draft);
  }

  function parseValue({ where, words }: Line): void {
    const [, attributeName = '', name = '', number = ''] = words;
    const value = numberOf(number);
    if (name === '' || value === undefined || value > 0xffff_ffff) {
      return void problems.push(`${where}: VALUE needs an attribute, a name and a number`);
    }
    const attribute = byName.get(attributeName.toLowerCase());
    if (!attribute) return void problems.push(`${where}: VALUE of ${attributeName}, which no ATTRIBUTE defines`);
    const known = attribute.values.get(name.toLowerCase());
    if (known !== undefined && known !== value) {
      return void problems.push(`${where}: ${attributeName} ${name} is ${known} already`);
    }
    attribute.values.set(name.toLowerCase(), value);
    if (!attribute.valueNames.has(value)) attribute.valueNames.set(value, name);
  }

  parseFile(entry, 'start', []);
  for (const line of values) parseValue(line);
  return { attributes, vendors, problems };
}

function kindOf(text: string): AttributeKind | undefined {
  // octets[16]: the length is the sender's business, values of another size are shown as they come.
  const plain = text.toLowerCase().replace(/\[\d+\]$/, '');
  if (containers.has(plain)) return 'octets';
  return synonyms[plain] ?? attributeKinds.find((kind) => kind === plain);
}

function numberOf(text: string): number | undefined {
  return /^(\d+|0x[0-9a-fA-F]+)$/.test(text) ? Number(text) : undefined;
}
