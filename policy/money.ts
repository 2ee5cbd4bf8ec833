// Money: whole minor units of a currency, written as decimal strings (`29.99`).

/** Currencies whose minor unit is not a hundredth (ISO 4217). */
const otherDigits: Readonly<Record<string, number>> = {
  BIF: 0,
  CLP: 0,
  DJF: 0,
  GNF: 0,
  ISK: 0,
  JPY: 0,
  KMF: 0,
  KRW: 0,
  PYG: 0,
  RWF: 0,
  UGX: 0,
  UYI: 0,
  VND: 0,
  VUV: 0,
  XAF: 0,
  XOF: 0,
  XPF: 0,
  BHD: 3,
  IQD: 3,
  JOD: 3,
  KWD: 3,
  LYD: 3,
  OMR: 3,
  TND: 3,
  CLF: 4,
  UYW: 4,
};

/** Decimal digits of the minor unit of an ISO 4217 currency code. */
export function minorDigits(currency: string): number {
  return otherDigits[currency] ?? 2;
}

/** Minor units of a decimal string such as `29.99`; undefined when it is none or has more decimals than the currency. */
export function parseMoney(decimal: string, currency: string): bigint | undefined {
  const match = /^(-?)(\d{1,15})(?:\.(\d{1,4}))?$/.exec(decimal);
  if (!match) return undefined;
  const [, sign, whole = '', fraction = ''] = match;
  const digits = minorDigits(currency);
  if (fraction.length > digits) return undefined;
  const minor = BigInt(whole + fraction.padEnd(digits, '0'));
  return sign === '-' ? -minor : minor;
}

/** The decimal string of minor units with all decimals of the currency, e.g. `2999n` USD → `29.99`. */
export function formatMoney(minor: bigint, currency: string): string {
  const digits = minorDigits(currency);
  const absolute = (minor < 0n ? -minor : minor).toString().padStart(digits + 1, '0');
  const sign = minor < 0n ? '-' : '';
  if (digits === 0) return sign + absolute;
  return `${sign}${absolute.slice(0, -digits)}.${absolute.slice(-digits)}`;
}
