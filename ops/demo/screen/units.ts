// Numbers as people read them: bytes and bits with decimal prefixes, durations, shares, and little charts.

const prefixes = ['', 'k', 'M', 'G', 'T', 'P'] as const;
const bars = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

export function bytesText(bytes: number): string {
  return `${scaled(bytes)}B`;
}

export function rateText(bps: number): string {
  return `${scaled(bps)}bit/s`;
}

/** With thousands apart: 1 234 567. */
export function wholeText(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
}

export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return hours > 0 ? `${hours}:${minutes}` : minutes;
}

/** Time of day here: 18:05:09. */
export function timeText(atMs: number): string {
  return new Date(atMs).toTimeString().slice(0, 8);
}

export function msText(ms: number | null): string {
  if (ms === null) return '–';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** One character per value, as high as its share of the largest. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width);
  const top = Math.max(...shown, 1);
  const line = shown.map((value) => bars[Math.ceil((Math.max(0, value) / top) * 8)] ?? ' ').join('');
  return line.padStart(width, ' ');
}

function scaled(value: number): string {
  let rest = Math.abs(value);
  let place = 0;
  while (rest >= 999.5 && place < prefixes.length - 1) {
    rest /= 1000;
    place++;
  }
  const digits = place === 0 || rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return `${value < 0 ? '−' : ''}${rest.toFixed(digits)} ${prefixes[place] ?? ''}`;
}
