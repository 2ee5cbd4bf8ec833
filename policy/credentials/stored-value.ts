// Whether a text is what a scheme stores of a password: asked when it is saved, so that no login fails for it later.
import { digestSchemes, isDigestScheme, type PasswordScheme } from './password-scheme.ts';

/** The methods of crypt(3) in `$…$`; without a `$` it is DES of 13 characters, or extended DES with `_`. */
const cryptForms = /^(?:\$(?:1|5|6|2[abxy]|y|gy|7|md5|sha1)[$,][!-9;-~]+|[./0-9A-Za-z]{13}|_[./0-9A-Za-z]{19})$/;
const argonForm =
  /^\$argon2(?<variant>id|i|d)\$v=19\$m=(?<memory>\d{1,7}),t=(?<passes>\d{1,3}),p=(?<lanes>\d{1,3})\$(?<salt>[A-Za-z0-9+/]+)\$(?<tag>[A-Za-z0-9+/]+)$/;
const hex = /^(?:[0-9a-fA-F]{2})+$/;
const base64 = /^[A-Za-z0-9+/]+={0,2}$/;
const longestValue = 512;

// A login may not cost seconds, whatever a copied hash asks for.
const mostBcryptCost = 14;
const mostRounds = 1_000_000;
const mostArgonMemoryKib = 262_144;
const mostArgonPasses = 32;
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
  if (passes < 1 || passes > mostArgonPasses || lanes < 1 || lanes > mostArgonLanes) return undefined;
  if (memoryKib < 8 * lanes || memoryKib > mostArgonMemoryKib) return undefined;
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
      : 'must be $argon2id$v=19$m=…,t=…,p=…$salt$tag of at most 256 MiB, 32 passes and 16 lanes';
  }
  if (!isDigestScheme(scheme)) return scheme satisfies never;
  const { octets, salted } = digestSchemes[scheme];
  const fits = (count: number) => (salted ? count > octets && count <= octets + 64 : count === octets);
  if ((hex.test(value) && fits(value.length / 2)) || (base64.test(value) && fits(octetsIn(value)))) return null;
  return `must be ${octets} octets${salted ? ' and a salt behind them' : ''}, in hexadecimal or Base64`;
}

function cryptProblem(value: string): string | null {
  if (!cryptForms.test(value)) return 'must be a hash of crypt(3), such as $6$…, $2b$…, $y$… or 13 characters of DES';
  const cost = Number(/^\$2[abxy]\$(\d\d)\$/.exec(value)?.[1] ?? 0);
  if (cost > mostBcryptCost) return `must not have a bcrypt cost above ${mostBcryptCost}`;
  const rounds = Number(/\$rounds=(\d+)\$/.exec(value)?.[1] ?? 0);
  return rounds > mostRounds ? `must not have more than ${mostRounds} rounds` : null;
}

/** Octets that a Base64 text stands for. */
function octetsIn(text: string): number {
  return Math.floor((text.replace(/=+$/, '').length * 3) / 4);
}
