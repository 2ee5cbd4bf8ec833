// `npm run restart` from the command line to the exit code: asks the running `npm start` and shows how it goes.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs, parseEnv } from 'node:util';
import { codeOf, messageOf } from '#ops/runtime/errors.ts';
import { askControl } from './control-socket.ts';

const usage = `usage: npm run restart -- [aaa-server] [flow-collector] [NAME=value …] [--env-file file]

  Without a name: aaa-server. NAME=value and the lines of the file replace settings that \`npm start\` was given;
  NAME= takes one back to its default. The code that runs afterwards is the one this command belongs to.
  LASTMILE_DATA_DIR says which \`npm start\` is meant.

  Ends with 0: replaced. 1: not replaced, the former one serves. 2: nobody was asked.
  3: nothing serves, or \`npm start\` ended meanwhile.`;

type Asked = { readonly processes: readonly string[]; readonly settings: Record<string, string> };

export async function runRestart(args: readonly string[], repository: string): Promise<number> {
  let asked: Asked | undefined;
  try {
    asked = parse(args);
  } catch (error) {
    console.error(`${messageOf(error)}\n`);
  }
  if (!asked) {
    console.error(usage);
    return 2;
  }
  const dataFolder = path.resolve(process.env.LASTMILE_DATA_DIR || './data');
  for (const name of asked.processes) {
    const status = await restartOne(dataFolder, { restart: name, settings: asked.settings, repository });
    if (status !== 0) return status;
  }
  return 0;
}

function parse(args: readonly string[]): Asked | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { 'env-file': { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help) return undefined;
  const file = values['env-file'];
  const settings: Record<string, string> = {};
  if (file !== undefined) Object.assign(settings, parseEnv(readFileSync(file, 'utf8')));
  const processes: string[] = [];
  for (const argument of positionals) {
    const setting = /^([A-Z][A-Z0-9_]*)=(.*)$/s.exec(argument);
    if (setting) settings[setting[1] ?? ''] = setting[2] ?? '';
    else processes.push(argument);
  }
  return { processes: processes.length > 0 ? processes : ['aaa-server'], settings };
}

async function restartOne(dataFolder: string, request: Parameters<typeof askControl>[1]): Promise<number> {
  try {
    const outcome = await askControl(dataFolder, request, (line) => console.log(line));
    if (outcome.ok) return 0;
    console.error(`${request.restart} was not replaced: ${outcome.problem}`);
    switch (outcome.serves) {
      case 'former untouched':
        console.error('The running one goes on untouched.');
        return 1;
      case 'former again':
        console.error('The former one serves again; what was sent meanwhile waited for it.');
        return 1;
      default:
        console.error('Nothing serves: `npm start` keeps trying, see what it prints.');
        return 3;
    }
  } catch (error) {
    const nobody = ['ENOENT', 'ECONNREFUSED'].includes(codeOf(error));
    console.error(nobody ? `no \`npm start\` runs in ${dataFolder} (LASTMILE_DATA_DIR)` : messageOf(error));
    return nobody ? 2 : 3;
  }
}
