// What `npm run demo` is asked on the command line.
import { parseArgs } from 'node:util';

export type Arguments = {
  readonly subscribers: number;
  /** null: until Ctrl-C. */
  readonly durationS: number | null;
  /** The summary as JSON, alone on standard output. */
  readonly json: boolean;
  /** File that the last screen is saved to as SVG. */
  readonly picture: string | null;
};

const usage = 'usage: npm run demo -- [--subscribers N] [--duration S] [--json] [--picture FILE.svg]';
const mostSubscribers = 10_000;
const mostDurationS = 30 * 86_400;

/** @throws with the usage when something cannot be understood. */
export function readArguments(args: readonly string[]): Arguments {
  const { values } = parsed(args);
  return {
    subscribers: whole('--subscribers', values.subscribers, mostSubscribers),
    durationS: values.duration === undefined ? null : whole('--duration', values.duration, mostDurationS),
    json: values.json,
    picture: values.picture ?? null,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        subscribers: { type: 'string', default: '200' },
        duration: { type: 'string' },
        json: { type: 'boolean', default: false },
        picture: { type: 'string' },
      },
    });
  } catch (error) {
    throw new Error(`${(error as Error).message}; ${usage}`, { cause: error });
  }
}

function whole(name: string, text: string, most: number): number {
  const value = /^\d{1,8}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > most) throw new Error(`${name} must be 1 to ${most}; ${usage}`);
  return value;
}
