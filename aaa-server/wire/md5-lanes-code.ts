// MD5 (RFC 1321) of four messages at once as a WebAssembly module: each 32-bit word of the algorithm is a vector of four, one per message.

/** Compresses up to `blocks` blocks of each message; a message that has fewer, by its count, keeps its state behind them. */
export type CompressLanes = (statesAt: number, wordsAt: number, blocks: number, countsAt: number) => void;

/** What of WebAssembly is used here; the library of Node's types does not tell. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: { readonly compress: CompressLanes } };
  readonly Memory: new (pages: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
};

const rotations = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;
/** Of the 16 words of a block: which one a step takes. */
const wordOf = [(i: number) => i, (i: number) => 5 * i + 1, (i: number) => 3 * i + 5, (i: number) => 7 * i] as const;
const sineOf = (i: number) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0;

// Locals of the function: its parameters, then a counter, then vectors.
const [statesAt, wordsAt, blocks, countsAt, block] = [0, 1, 2, 3, 4];
const working = [5, 6, 7, 8] as const;
const kept = [9, 10, 11, 12] as const;
const [sum, goesOn, counts] = [13, 14, 15];

const vector = {
  load: (offset: number) => [...simd(0), 4, ...unsigned(offset)],
  store: (offset: number) => [...simd(11), 4, ...unsigned(offset)],
  constant(word: number) {
    const octets = [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24];
    return [...simd(12), ...octets, ...octets, ...octets, ...octets];
  },
  splat: simd(17),
  greater: simd(59),
  not: simd(77),
  and: simd(78),
  or: simd(80),
  xor: simd(81),
  select: simd(82),
  left: simd(171),
  right: simd(173),
  add: simd(174),
};
const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const tee = (local: number) => [0x22, local];
const integer = (value: number) => [0x41, ...signed(value)];
const addIntegers = 0x6a;
const lessThan = 0x48;
const loop = [0x03, 0x40];
const again = [0x0d, 0];
const end = 0x0b;
const [i32, v128] = [0x7f, 0x7b];

/** @param pages of 64 KB */
export function loadCompressLanes(pages: number): { readonly memory: ArrayBuffer; readonly compress: CompressLanes } {
  const memory = new WebAssembly.Memory({ initial: pages });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(moduleOf(pages)), { own: { memory } });
  return { memory: memory.buffer, compress: exports.compress };
}

function moduleOf(pages: number): Uint8Array {
  const code = [2, 1, i32, 11, v128, ...compressBody(), end];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 4, i32, i32, i32, i32, 0]),
    ...section(2, [1, ...text('own'), ...text('memory'), 2, 0, pages]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...text('compress'), 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}

function compressBody(): number[] {
  const [first, second, third, fourth] = working;
  return [
    ...kept.flatMap((local, i) => [...get(statesAt), ...vector.load(16 * i), ...set(local)]),
    ...[...get(countsAt), ...vector.load(0), ...set(counts)],
    ...loop,
    ...working.flatMap((local, i) => [...get(kept[i] as number), ...set(local)]),
    ...Array.from({ length: 64 }, (_, i) => {
      // The four working variables change their places in each step.
      const turned = [first, fourth, third, second].map((_, place, all) => all[(place + i) % 4] as number);
      return step(i, turned[0] as number, turned[3] as number, turned[2] as number, turned[1] as number);
    }).flat(),
    ...[...get(counts), ...get(block), ...vector.splat, ...vector.greater, ...set(goesOn)],
    ...kept.flatMap((local, i) => [
      ...[...get(working[i] as number), ...get(local), ...vector.add],
      ...[...get(local), ...get(goesOn), ...vector.select, ...set(local)],
    ]),
    ...[...get(wordsAt), ...integer(256), addIntegers, ...set(wordsAt)],
    ...[...get(block), ...integer(1), addIntegers, ...tee(block), ...get(blocks), lessThan, ...again],
    end,
    ...kept.flatMap((local, i) => [...get(statesAt), ...get(local), ...vector.store(16 * i)]),
  ];
}

/** a = b + ((a + f(b, c, d) + word + sine) <<< rotation) */
function step(i: number, a: number, b: number, c: number, d: number): number[] {
  const round = i >> 4;
  const word = (wordOf[round] as (i: number) => number)(i) % 16;
  const rotation = rotations[round]?.[i & 3] as number;
  return [
    ...[
      ...get(a),
      ...get(wordsAt),
      ...vector.load(16 * word),
      ...vector.constant(sineOf(i)),
      ...vector.add,
      ...vector.add,
    ],
    ...mixed(round, b, c, d),
    ...[...vector.add, ...tee(sum), ...integer(rotation), ...vector.left],
    ...[...get(sum), ...integer(32 - rotation), ...vector.right, ...vector.or, ...get(b), ...vector.add, ...set(a)],
  ];
}

function mixed(round: number, b: number, c: number, d: number): number[] {
  const { and, or, xor, not } = vector;
  if (round === 0) return [...get(d), ...get(b), ...get(c), ...get(d), ...xor, ...and, ...xor];
  if (round === 1) return [...get(c), ...get(d), ...get(b), ...get(c), ...xor, ...and, ...xor];
  if (round === 2) return [...get(b), ...get(c), ...xor, ...get(d), ...xor];
  return [...get(c), ...get(b), ...get(d), ...not, ...or, ...xor];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function text(name: string): number[] {
  return [name.length, ...Buffer.from(name)];
}

function simd(operation: number): number[] {
  return [0xfd, ...unsigned(operation)];
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  return value >= -0x40 && value < 0x40 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}
