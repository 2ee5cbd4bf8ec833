// The engine writes each chunk of a streamed answer as a document of its own: the header of names and types is kept in the first only.

/** Formats that begin with a header: how many rows of it. */
const headerRows: Readonly<Record<string, number>> = {
  CSVWithNames: 1,
  CSVWithNamesAndTypes: 2,
  TabSeparatedWithNames: 1,
  TabSeparatedWithNamesAndTypes: 2,
  TSVWithNames: 1,
  TSVWithNamesAndTypes: 2,
  JSONCompactEachRowWithNames: 1,
  JSONCompactEachRowWithNamesAndTypes: 2,
  JSONCompactStringsEachRowWithNames: 1,
  JSONCompactStringsEachRowWithNamesAndTypes: 2,
  RowBinaryWithNames: 1,
  RowBinaryWithNamesAndTypes: 2,
};

export function hasHeader(format: string): boolean {
  return format in headerRows;
}

/** @returns a function that is given every chunk in turn and leaves the header out of all but the first. */
export function headerOnce(format: string): (chunk: Uint8Array) => Uint8Array {
  const rows = headerRows[format];
  let header: Uint8Array | undefined;
  if (rows === undefined) return (chunk) => chunk;
  return (chunk) => {
    if (header === undefined) {
      const length = format.startsWith('RowBinary')
        ? binaryHeader(chunk, rows)
        : textHeader(chunk, rows, format.startsWith('CSV'));
      header = chunk.slice(0, length);
      return chunk;
    }
    const repeated = Buffer.compare(header, chunk.subarray(0, header.length)) === 0;
    return repeated ? chunk.subarray(header.length) : chunk;
  };
}

const QUOTE = 0x22;
const NEWLINE = 0x0a;

/** In CSV a line end within quotes belongs to a name; the other text formats escape it. */
function textHeader(bytes: Uint8Array, rows: number, mayQuote: boolean): number {
  let quoted = false;
  let left = rows;
  for (const [index, byte] of bytes.entries()) {
    if (mayQuote && byte === QUOTE) quoted = !quoted;
    if (byte === NEWLINE && !quoted && --left === 0) return index + 1;
  }
  return bytes.length;
}

/** The number of columns and then, by row, as many strings, each after its length (LEB128). */
function binaryHeader(bytes: Uint8Array, rows: number): number {
  let at = 0;
  const number = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  for (let strings = number() * rows; strings > 0; strings--) {
    const length = number();
    at += length;
  }
  return Math.min(at, bytes.length);
}
