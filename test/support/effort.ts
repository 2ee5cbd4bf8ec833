// How hard property tests and fuzzers try: short in `npm test`, fifty times as long in `npm run test:long`.
export const isLong = process.env.LASTMILE_TEST_LONG === '1';

export function runs(short: number): number {
  return isLong ? short * 50 : short;
}
