import './runtime/require-node.mjs';
// Runs one TypeScript entry under the Node that the project needs: `node ops/run.mjs <entry.ts> [arguments]`.
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [entry, ...rest] = process.argv.slice(2);
if (!entry) {
  console.error('usage: node ops/run.mjs <entry.ts> [arguments]');
  process.exit(1);
}
const file = path.resolve(entry);
process.argv = [process.argv[0], file, ...rest];
await import(pathToFileURL(file).href);
