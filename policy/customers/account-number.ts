// Account numbers: a sequence number with a Luhn check digit, so that one mistyped digit is noticed at the payment counter.

/** The account number of `sequence` (a whole number ≥ 10000): its digits and the check digit, e.g. 10000 → `100008`. */
export function accountNumber(sequence: number): string {
  if (!Number.isSafeInteger(sequence) || sequence < 10_000 || sequence > 99_999_999_999)
    throw new RangeError(`no account number for ${sequence}`);
  const digits = String(sequence);
  return `${digits}${(10 - (luhnSum(`${digits}0`) % 10)) % 10}`;
}

/** Whether `text` is 6 to 12 digits with a right check digit (ISO/IEC 7812-1, annex B). */
export function isAccountNumber(text: string): boolean {
  return /^[0-9]{6,12}$/.test(text) && luhnSum(text) % 10 === 0;
}

function luhnSum(digits: string): number {
  let sum = 0;
  for (let place = 0; place < digits.length; place++) {
    const digit = Number(digits[digits.length - 1 - place]);
    const weighted = place % 2 === 0 ? digit : digit * 2;
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return sum;
}
