// Whether a text is what a scheme stores of a password: asked when it is saved, so that no login fails for it later.
import { digestSchemes, isDigestScheme, type PasswordScheme } from './password-scheme.ts';

/**
 * The methods of crypt(3) whose cost is fixed or read here: DES, extended DES (`_`, its rounds), MD5, SHA-256 and SHA-512 (their rounds), bcrypt
 * (its exponent), yescrypt with the flags that everybody uses and without further parameters (the logarithm of its blocks, their size).
 */
const cryptForms = new RegExp(
  [
    /[./0-9A-Za-z]{13}/,
    /_(?<desRounds>[./0-9A-Za-z]{4})[./0-9A-Za-z]{15}/,
    /\$1\$[!-9;-~]+/,
    /\$[56]\$(?:rounds=(?<rounds>\d{1,9})\$)?(?!rounds=)[!-9;-~]+/,
    /\$2[abxy]\$(?<exponent>\d\d)\$[!-9;-~]+/,
    /\$y\$j(?<blocks>[./0-9A-Za-j])(?<blockSize>[./0-9A-Za-j])\$[!-9;-~]+/,
  ]
    .map(({ source }) => `^${source}$`)
    .join('|'),
);
/** The digits of crypt(3), by their value. */
const cryptDigits = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const argonForm =
  /^\$argon2(?<variant>id|i|d)\$v=19\$m=(?<memory>\d{1,7}),t=(?<passes>\d{1,3}),p=(?<lanes>\d{1,3})\$(?<salt>[A-Za-z0-9+/]+)\$(?<tag>[A-Za-z0-9+/]+)$/;
const hex = /^(?:[0-9a-fA-F]{2})+$/;
const base64 = /^[A-Za-z0-9+/]+={0,2}$/;
const longestValue = 512;

// A login costs well under a second and no more than 64 MiB, whatever a copied hash asks for.
const mostBcryptCost = 12;
const mostRounds = 700_000;
const mostMemoryKib = 65_536;
/** Memory times passes. */
const mostArgonWorkKib = 4 * mostMemoryKib;
const mostArgonLanes = 16;

export type Argon2Value = {
  readonly variant: 'id' | 'i' | 'd';
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
  /** Base64 without padding. */
  readonly salt: string;
  readonly tag: string;
};

/** The parts of an Argon2 hash (PHC string format); undefined when it is none, or costs more than a login may. */
export function parseArgon2(value: string): Argon2Value | undefined {
  const groups = argonForm.exec(value)?.groups;
  if (!groups) return undefined;
  const [memoryKib, passes, lanes] = [Number(groups.memory), Number(groups.passes), Number(groups.lanes)];
  const { variant, salt = '', tag = '' } = groups;
  if (variant !== 'id' && variant !== 'i' && variant !== 'd') return undefined;
  if (passes < 1 || lanes < 1 || lanes > mostArgonLanes) return undefined;
  if (memoryKib < 8 * lanes || memoryKib > mostMemoryKib || memoryKib * passes > mostArgonWorkKib) return undefined;
  if (octetsIn(salt) < 8 || octetsIn(tag) < 4 || octetsIn(tag) > 128) return undefined;
  return { variant, memoryKib, passes, lanes, salt, tag };
}

/** What is wrong with `value` as what `scheme` stores, null when nothing is. */
export function storedValueProblem(scheme: PasswordScheme, value: string): string | null {
  if (value.length > longestValue) return `must not be longer than ${longestValue} characters`;
  if (scheme === 'clear' || scheme === 'none') return value === '' || scheme === 'none' ? 'is no stored form' : null;
  if (scheme === 'crypt') return cryptProblem(value);
  if (scheme === 'argon2') {
    return parseArgon2(value)
      ? null
      : 'must be $argon2id$v=19$m=…,t=…,p=…$salt$tag of at most 64 MiB, 256 MiB in all passes, and 16 lanes';
  }
  if (!isDigestScheme(scheme)) return scheme satisfies never;
  const { octets, salted } = digestSchemes[scheme];
  const fits = (count: number) => (salted ? count > octets && count <= octets + 64 : count === octets);
  if ((hex.test(value) && fits(value.length / 2)) || (base64.test(value) && fits(octetsIn(value)))) return null;
  return `must be ${octets} octets${salted ? ' and a salt behind them' : ''}, in hexadecimal or Base64`;
}

function cryptProblem(value: string): string | null {
  const found = cryptForms.exec(value);
  if (!found) return 'must be a hash of crypt(3): $1$…, $5$…, $6$…, $2b$…, $y$j… or 13 characters of DES';
  const { desRounds = '', rounds = 0, exponent = 0, blocks = '.', blockSize = '.' } = found.groups ?? {};
  if (Number(exponent) > mostBcryptCost) return `must not have a bcrypt cost above ${mostBcryptCost}`;
  const extended = [...desRounds].reduceRight((sum, digit) => sum * 64 + cryptDigits.indexOf(digit), 0);
  if (Math.max(Number(rounds), extended) > mostRounds) return `must not have more than ${mostRounds} rounds`;
  // Each block is 128 octets times its size; both digits count from one.
  const memoryKib = (2 ** (cryptDigits.indexOf(blocks) + 1) * (cryptDigits.indexOf(blockSize) + 1)) / 8;
  return memoryKib > mostMemoryKib ? `must not take more than ${mostMemoryKib / 1024} MiB of memory` : null;
}

/** Octets that a Base64 text stands for. */
function octetsIn(text: string): number {
  return Math.floor((text.replace(/=+$/, '').length * 3) / 4);
}
