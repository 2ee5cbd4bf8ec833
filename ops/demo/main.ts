// `npm run demo`: a living ISP on top of the running Lastmile, or of one of its own; the summary proves that every byte was counted.
import { messageOf } from '#ops/runtime/errors.ts';
import { type Arguments, readArguments } from './arguments.ts';
import { runDemo } from './run.ts';

function asked(): Arguments {
  try {
    return readArguments(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`demo: ${messageOf(error)}\n`);
    process.exit(1);
  }
}

process.exit(await runDemo(asked()));
