// Reads from a certificate revocation list (RFC 5280 §5.1) until when it is valid; Node verifies with such lists but does not show them.

/** The lists of a PEM file, one PEM text each. */
export function crlsOf(pem: string): string[] {
  return pem.match(/-----BEGIN X509 CRL-----[\s\S]+?-----END X509 CRL-----/g) ?? [];
}

/** Wall clock of the list's nextUpdate in ms; null when it names none. @throws when it is no list. */
export function crlExpiresAtMs(pem: string): number | null {
  const [first] = crlsOf(pem);
  if (!first) throw new Error('this is no revocation list in PEM');
  const der = Buffer.from(first.replace(/-----[^-]+-----/g, ''), 'base64');
  const list = valueAt(der, 0, sequence);
  const signed = valueAt(list, 0, sequence);
  let at = 0;
  // version INTEGER OPTIONAL, signature, issuer, thisUpdate, nextUpdate OPTIONAL
  if (signed[at] === integer) at = endAt(signed, at);
  for (let i = 0; i < 3; i++) at = endAt(signed, at);
  return signed[at] === utcTime || signed[at] === generalizedTime ? instantOf(signed, at) : null;
}

const integer = 0x02;
const utcTime = 0x17;
const generalizedTime = 0x18;
const sequence = 0x30;

/** Where the content of the element at `at` begins and ends. */
function contentAt(der: Buffer, at: number): { start: number; end: number } {
  const first = der[at + 1];
  if (first === undefined) throw new Error('the revocation list is cut off');
  const lengthOctets = first < 0x80 ? 0 : first - 0x80;
  if (lengthOctets > 4 || at + 2 + lengthOctets > der.length) throw new Error('this is no revocation list');
  const length = lengthOctets === 0 ? first : der.readUIntBE(at + 2, lengthOctets);
  const start = at + 2 + lengthOctets;
  if (start + length > der.length) throw new Error('the revocation list is cut off');
  return { start, end: start + length };
}

const endAt = (der: Buffer, at: number) => contentAt(der, at).end;

function valueAt(der: Buffer, at: number, tag: number): Buffer {
  if (der[at] !== tag) throw new Error('this is no revocation list');
  const { start, end } = contentAt(der, at);
  return der.subarray(start, end);
}

/** RFC 5280 §5.1.2.4: YYMMDDHHMMSSZ until 2049, YYYYMMDDHHMMSSZ after; always UTC, always with seconds. */
function instantOf(der: Buffer, at: number): number {
  const { start, end } = contentAt(der, at);
  const text = der.toString('latin1', start, end);
  const long = der[at] === utcTime ? `${Number(text.slice(0, 2)) >= 50 ? '19' : '20'}${text}` : text;
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(long);
  if (!parts) throw new Error('the revocation list has a time that cannot be read');
  const [, year, month, day, hour, minute, second] = parts.map(Number);
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
}
