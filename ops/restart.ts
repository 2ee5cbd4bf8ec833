// `npm run restart`: a new aaa-server or flow-collector takes the place of the running one, and no request is lost meanwhile.
import path from 'node:path';
import { runRestart } from './up/restart-command.ts';

process.exitCode = await runRestart(process.argv.slice(2), path.resolve(import.meta.dirname, '..'));
