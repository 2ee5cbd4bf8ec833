// Numbers as attributes of 32 bits: clamped, never wrapped around, and never zero, which many access servers take for no limit.

const most = 0xffff_ffff;

/** The largest that fits stands for what does not: a fast tariff is told as the fastest there is, never as a slow one. */
export function clamped(value: number): number {
  return Math.max(1, Math.min(Math.floor(value), most));
}

/** Whole thousands of bits per second, rounded down. */
export function kbps(bps: number): number {
  return clamped(bps / 1000);
}

/** A number of octets as its lower 32 bits and how often 2^32 is in it. At least one octet: zero and zero mean no limit. */
export function gigawords(bytes: number): { readonly octets: number; readonly gigawords: number } {
  const whole = Math.max(1, Math.floor(bytes));
  return { octets: whole % 2 ** 32, gigawords: Math.min(Math.floor(whole / 2 ** 32), most) };
}
