// The options that every bench takes.
import path from 'node:path';
import { parseArgs } from 'node:util';

export type BenchOptions = {
  /** Print JSON instead of a table. */
  readonly json: boolean;
  /** Replace the bench's section of bench/README.md. */
  readonly write: boolean;
  /** Small and short: shows that everything works, not how fast it is. */
  readonly quick: boolean;
  /** The median of so many runs counts. */
  readonly runs: number;
  /** Measured span of a run. */
  readonly seconds: number;
  readonly subscribers: number;
  /** Only servers whose name contains this. */
  readonly only: string;
  /** Where the data folders of all servers lie while they are measured. */
  readonly folder: string;
  /** CPU profiles of Lastmile's threads go here; '' for none. They cost speed. */
  readonly profiles: string;
};

/** @param usualSubscribers without --subscribers and --quick */
export function readOptions(name: string, folder: string, usualSubscribers = 100_000): BenchOptions {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      runs: { type: 'string' },
      seconds: { type: 'string' },
      subscribers: { type: 'string' },
      only: { type: 'string', default: '' },
      folder: { type: 'string', default: folder },
      profiles: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(
      `npm run bench:${name} -- [--quick] [--json] [--write] [--runs N] [--seconds S] [--subscribers N] [--only SERVER] [--folder PATH] [--profiles PATH]`,
    );
    process.exit();
  }
  const { quick } = values;
  return {
    json: values.json,
    write: values.write,
    quick,
    runs: wholeNumber('runs', values.runs, quick ? 1 : 3),
    seconds: quick ? 0.4 : wholeNumber('seconds', values.seconds, 5),
    subscribers: wholeNumber('subscribers', values.subscribers, quick ? 300 : usualSubscribers),
    only: values.only,
    folder: values.folder,
    profiles: values.profiles && path.resolve(values.profiles),
  };
}

function wholeNumber(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,7}$/.test(text)) throw new Error(`--${name} must be a whole number from 1, not ${text}`);
  return Number(text);
}
