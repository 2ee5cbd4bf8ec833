// Addresses of devices as access servers write them: Calling-Station-Id in any of the usual forms (RFC 3580 §3.21 and older ones).

/** Twelve lower-case hex digits, or '' for what holds no such address: a phone number, an IP address, nothing. */
export function plainMac(text: string): string {
  // Some access servers put more behind it: `00-11-22-33-44-55:ssid`.
  const found = /^[\da-f]{2}([-:. ]?[\da-f]{2}){5}(?![\da-f])/i.exec(text.trim())?.[0] ?? '';
  const digits = found.replace(/[^\da-f]/gi, '').toLowerCase();
  return digits.length === 12 ? digits : '';
}
