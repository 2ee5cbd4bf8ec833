import './runtime/require-node.mjs';
// Runs one TypeScript entry under the Node that the project needs: `node ops/run.mjs <entry.ts> [arguments]`.
import module from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [entry, ...rest] = process.argv.slice(2);
if (!entry) {
  console.error('usage: node ops/run.mjs <entry.ts> [arguments]');
  process.exit(1);
}
// Compiled code is kept, also for worker threads: it halves the time to start. It lies beside the code it was made from, because in a
// folder that others may write to it could be code of theirs.
process.env.NODE_COMPILE_CACHE ||= path.resolve(import.meta.dirname, '../node_modules/.cache/node');
module.enableCompileCache();
const file = path.resolve(entry);
process.argv = [process.argv[0], file, ...rest];
await import(pathToFileURL(file).href);
