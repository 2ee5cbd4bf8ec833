// How hard property tests and fuzzers try: short in `npm test`, many times as long in `npm run test:long`.
export const isLong = process.env.LASTMILE_TEST_LONG === '1';

export function runs(short: number, long = short * 50): number {
  return isLong ? long : short;
}
