// Reads Mikrotik-Rate-Limit as a router does: `rx/tx`, which is upload before download; k and M are powers of ten.
import type { Speed } from '#policy/speed.ts';

const factors: Readonly<Record<string, number>> = { '': 1, k: 1000, M: 1_000_000, G: 1_000_000_000 };

/** Undefined when it cannot be understood; what follows the first pair (bursts) is not ours to simulate. */
export function parseRateLimit(text: string): Speed | undefined {
  const [rx = '', tx = rx] = (text.trim().split(' ')[0] ?? '').split('/');
  const [up, down] = [bps(rx), bps(tx)];
  return up && down ? { upBps: up, downBps: down } : undefined;
}

function bps(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,12})([kMG]?)$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * (factors[unit] ?? 1);
}
