// `npm start`: settings, embedded stores where no URL is given, migrations, the processes, their supervision.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { processes } from './up/environment.ts';
import { repository } from './up/node-process.ts';
import { runUp } from './up/run.ts';

await runUp(processes.filter(({ script }) => existsSync(path.join(repository, script))));
