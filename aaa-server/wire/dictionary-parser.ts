// The lines of FreeRADIUS dictionary files: what each keyword says, and what is wrong with it.
import {
  type AttributeKind,
  type AttributePlace,
  attributeKinds,
  type DictionaryAttribute,
  placeKey,
  usualFormat,
  type VendorFormat,
} from './dictionary-attribute.ts';

export type Parsed = {
  readonly attributes: DictionaryAttribute[];
  readonly vendors: Map<string, number>;
  /** By SMI number; vendors of the usual format are left out. */
  readonly formats: Map<number, VendorFormat>;
  /** By placeKey(); of several names of one number the last. */
  readonly byPlace: ReadonlyMap<string, DictionaryAttribute>;
  readonly problems: string[];
};

/** A file to begin with; `read` gives the text of a file of its folder, undefined when there is none. */
export type DictionarySource = { readonly entry: string; read(file: string): string | undefined };

type Draft = DictionaryAttribute & { readonly valueNames: Map<number, string>; readonly values: Map<string, number> };
type Line = { readonly where: string; readonly words: readonly string[] };
/** What the lines before say of the ones that follow. */
type Scope = { vendorName: string; vendor: number; extendedSpace: number; tlvs: Draft[] };

const synonyms: Readonly<Record<string, AttributeKind>> = {
  text: 'string',
  uint8: 'byte',
  uint16: 'short',
  uint32: 'integer',
  uint64: 'integer64',
  int32: 'signed',
  time: 'date',
  ipv4addr: 'ipaddr',
  abinary: 'octets',
};
/** Types of newer dictionaries that this codec does not read. */
const refused = new Set(['struct', 'group', 'union', 'bit']);
const containers = new Set<AttributeKind>(['tlv', 'vsa', 'extended', 'long-extended', 'evs']);
/** A plain name within the dictionary folder: no folder, nothing hidden. */
const fileName = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
const maxDepth = 20;
/** Numbers of the standard space beyond an octet are a server's own, as in dictionary.freeradius.internal. */
const highestInternal = 0xffff;

export function parseDictionary(sources: readonly DictionarySource[]): Parsed {
  const attributes: Draft[] = [];
  const byName = new Map<string, Draft>();
  const byPlace = new Map<string, Draft>();
  const vendors = new Map<string, number>();
  const formats = new Map<number, VendorFormat>();
  const problems: string[] = [];
  /** VALUE lines may come before the ATTRIBUTE they speak of. */
  const values: Line[] = [];

  function parseFile(read: DictionarySource['read'], file: string, from: string, parents: readonly string[]): void {
    if (!fileName.test(file)) return void problems.push(`${from}: ${file} is not a file name of the dictionary folder`);
    if (parents.includes(file)) return void problems.push(`${from}: ${file} includes itself`);
    if (parents.length >= maxDepth) return void problems.push(`${from}: files include each other too deeply`);
    const text = read(file);
    if (text === undefined) return void problems.push(`${from}: there is no file ${file} in the dictionary folder`);
    const scope: Scope = { vendorName: '', vendor: 0, extendedSpace: 0, tlvs: [] };
    for (const [index, raw] of text.split(/\r?\n/).entries()) {
      const words = (raw.split('#')[0] ?? '').trim().split(/\s+/);
      const [keyword = '', first = ''] = words;
      const where = `${file}:${index + 1}`;
      switch (keyword.toUpperCase()) {
        case '$INCLUDE':
          parseFile(read, first, where, [...parents, file]);
          break;
        case '$INCLUDE-':
          if (read(first) !== undefined) parseFile(read, first, where, [...parents, file]);
          break;
        default:
          parseLine({ where, words }, scope);
      }
    }
    if (scope.vendor !== 0) problems.push(`${file}: END-VENDOR ${scope.vendorName} is missing`);
    if (scope.tlvs.length > 0) problems.push(`${file}: END-TLV is missing`);
  }

  function parseLine(line: Line, scope: Scope): void {
    const { where, words } = line;
    const [keyword = '', name = ''] = words;
    switch (keyword.toUpperCase()) {
      case '':
        break;
      case 'VENDOR':
        parseVendor(line);
        break;
      case 'BEGIN-VENDOR':
        beginVendor(line, scope);
        break;
      case 'END-VENDOR':
        if (scope.vendor === 0 || name !== scope.vendorName) problems.push(`${where}: vendor ${name} is not open`);
        Object.assign(scope, { vendorName: '', vendor: 0, extendedSpace: 0 });
        break;
      case 'BEGIN-TLV': {
        const tlv = byName.get(name.toLowerCase());
        if (tlv?.kind === 'tlv') scope.tlvs.push(tlv);
        else problems.push(`${where}: ${name} is no attribute of type tlv`);
        break;
      }
      case 'END-TLV':
        if (scope.tlvs.pop()?.name !== name) problems.push(`${where}: the TLV ${name} is not open`);
        break;
      case 'ATTRIBUTE':
        parseAttribute(line, scope);
        break;
      case 'VALUE':
        values.push(line);
        break;
      default:
        problems.push(`${where}: ${keyword} is not a keyword of dictionaries`);
    }
  }

  function parseVendor({ where, words }: Line): void {
    const [, name = '', number = '', formatText] = words;
    const id = numberOf(number);
    if (name === '' || id === undefined || id < 1 || id > 0xff_ffff) {
      return void problems.push(`${where}: VENDOR needs a name and a number from 1 to 16777215`);
    }
    const format = formatText === undefined ? usualFormat : formatOf(formatText);
    if (!format) {
      return void problems.push(
        `${where}: vendor ${name} has ${formatText}, which is not format=1|2|4,0|1|2 or format=1,1,c`,
      );
    }
    const known = vendors.get(name);
    if (known !== undefined && known !== id) return void problems.push(`${where}: vendor ${name} is ${known} already`);
    const before = formats.get(id) ?? usualFormat;
    if (known !== undefined && !sameFormat(before, format)) {
      return void problems.push(`${where}: vendor ${name} has another format already`);
    }
    vendors.set(name, id);
    if (format !== usualFormat) formats.set(id, format);
  }

  function beginVendor({ where, words }: Line, scope: Scope): void {
    const [, name = '', option] = words;
    const id = vendors.get(name);
    if (id === undefined) return void problems.push(`${where}: vendor ${name} is not defined`);
    if (scope.vendor !== 0) return void problems.push(`${where}: vendor ${scope.vendorName} is still open`);
    const space = option === undefined ? 0 : Number(/^format=Extended-Vendor-Specific-([1-6])$/.exec(option)?.[1]);
    if (Number.isNaN(space)) problems.push(`${where}: ${option} is not format=Extended-Vendor-Specific-1 to -6`);
    Object.assign(scope, { vendorName: name, vendor: id, extendedSpace: space > 0 ? 240 + space : 0 });
  }

  function parseAttribute({ where, words }: Line, scope: Scope): void {
    const [, name = '', number = '', typeText = '', ...options] = words;
    const vendorOption = options.map((option) => vendors.get(option)).find((id) => id !== undefined);
    const vendor = vendorOption ?? scope.vendor;
    const numbers = number.split('.').map(numberOf);
    const own = numbers.flatMap((one) => one ?? []);
    const path = [...(scope.tlvs.at(-1)?.path ?? []), ...own];
    const place: AttributePlace = { vendor, extendedSpace: vendorOption === undefined ? scope.extendedSpace : 0, path };
    const highest = highestOf(place, formats.get(vendor) ?? usualFormat);
    const lowest = vendor === 0 ? 1 : 0;
    const fits = own.length === numbers.length && own.every((one) => one >= lowest && one <= highest);
    if (name === '' || !fits) {
      return void problems.push(`${where}: ATTRIBUTE needs a name, a number from ${lowest} to ${highest} and a type`);
    }
    const parent = byPlace.get(placeKey({ ...place, path: path.slice(0, -1) }));
    if (path.length > 1 && !(parent && containers.has(parent.kind))) {
      return void problems.push(
        `${where}: ${name} lies in ${path.slice(0, -1).join('.')}, which no ATTRIBUTE before says to hold others`,
      );
    }
    const kind = kindOf(typeText);
    if (typeof kind !== 'string') return void problems.push(`${where}: ${name} ${kind.problem}`);
    const known = byName.get(name.toLowerCase());
    if (known) {
      const same = placeKey(known) === placeKey(place) && known.kind === kind;
      if (same) byPlace.set(placeKey(known), known);
      else problems.push(`${where}: ${name} is defined already, differently`);
      return;
    }
    const flags = options.filter((option) => !vendors.has(option)).flatMap((option) => option.split(','));
    const unknown = flags.find((flag) => !/^(has_tag|array|concat|virtual|secret|encrypt=[0-3])$/.test(flag));
    if (unknown !== undefined) return void problems.push(`${where}: ${name} has the unknown flag ${unknown}`);
    const encrypt = Number(
      flags.find((flag) => flag.startsWith('encrypt='))?.at(-1) ?? 0,
    ) as DictionaryAttribute['encrypt'];
    const draft: Draft = {
      name,
      ...place,
      type: path[0] ?? 0,
      kind,
      encrypt,
      hasTag: flags.includes('has_tag'),
      concat: flags.includes('concat'),
      array: flags.includes('array'),
      internal: flags.includes('virtual') || (vendor === 0 && (path[0] ?? 0) > 255),
      valueNames: new Map(),
      values: new Map(),
    };
    attributes.push(draft);
    byName.set(name.toLowerCase(), draft);
    byPlace.set(placeKey(draft), draft);
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
    attribute.valueNames.set(value, name);
  }

  for (const { entry, read } of sources) parseFile(read, entry, 'start', []);
  for (const line of values) parseValue(line);
  return { attributes, byPlace, vendors, formats, problems };
}

function highestOf({ vendor, extendedSpace, path }: AttributePlace, { typeOctets }: VendorFormat): number {
  if (path.length > 1 || extendedSpace !== 0) return 255;
  return vendor === 0 ? highestInternal : 256 ** typeOctets - 1;
}

function formatOf(text: string): VendorFormat | undefined {
  const [, type, length, continued] = /^format=([124]),([012])(,c)?$/.exec(text) ?? [];
  const format = { typeOctets: Number(type), lengthOctets: Number(length), continued: continued !== undefined };
  if (type === undefined || (format.continued && !(format.typeOctets === 1 && format.lengthOctets === 1)))
    return undefined;
  return sameFormat(format as VendorFormat, usualFormat) ? usualFormat : (format as VendorFormat);
}

function sameFormat(a: VendorFormat, b: VendorFormat): boolean {
  return a.typeOctets === b.typeOctets && a.lengthOctets === b.lengthOctets && a.continued === b.continued;
}

function kindOf(text: string): AttributeKind | { readonly problem: string } {
  // octets[16]: the length is the sender's business, values of another size are shown as they come.
  const plain = text.toLowerCase().replace(/\[\d+\]$/, '');
  if (refused.has(plain)) return { problem: `has the type ${plain}, which dictionaries of FreeRADIUS 3.2 do not have` };
  const kind = synonyms[plain] ?? attributeKinds.find((one) => one === plain);
  return kind ?? { problem: `has the unknown type ${text || '(none)'}` };
}

function numberOf(text: string): number | undefined {
  return /^(\d+|0x[0-9a-fA-F]+)$/.test(text) ? Number(text) : undefined;
}
