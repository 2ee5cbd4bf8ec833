// Asks each process whether it could start (`--check`), so that every wrong setting is told at once and before anything runs.
import { spawn } from 'node:child_process';
import { InvalidSettings, messageOf } from '#ops/runtime/errors.ts';
import { type Environment, readSettings } from '#ops/runtime/settings.ts';
import { secretKeyMissing } from '../stores/addresses.ts';
import { environmentOf, type ProcessDefinition, type ProcessName } from './environment.ts';
import { nodeArguments, repository } from './node-process.ts';
import { type Settings, settings } from './settings.ts';

type Definition = ProcessDefinition & {
  name: ProcessName;
  /** Where its code lies; missing: where ours does. */
  repository?: string;
};

/**
 * @throws {InvalidSettings} with the problems of the supervisor and of every process, each once.
 * @throws with its output when a process fails for another reason.
 */
export async function checkedSettings(given: Environment, processes: readonly Definition[]): Promise<Settings> {
  const problems: string[] = [];
  let own: Settings | undefined;
  try {
    own = readSettings(settings, given);
    if (own.DATABASE_URL !== '' && (own.LASTMILE_SECRET_KEY ?? []).length === 0) problems.push(secretKeyMissing);
    problems.push(...urlProblems(own));
  } catch (error) {
    if (!(error instanceof InvalidSettings)) throw error;
    problems.push(...error.problems);
  }
  const found = await Promise.all(processes.map((process) => problemsOf(process, given, own)));
  for (const problem of found.flatMap((check) => check.problems)) {
    if (!problems.some((known) => subjectOf(known) === subjectOf(problem))) problems.push(problem);
  }
  if (problems.length > 0 || !own) throw new InvalidSettings(problems);
  const failures = found.flatMap((check) => check.failure ?? []);
  if (failures.length > 0) throw new Error(failures.join('\n'));
  return own;
}

function urlProblems(own: Settings): string[] {
  const kinds = {
    DATABASE_URL: /^postgres(ql)?:$/,
    APP_DATABASE_URL: /^postgres(ql)?:$/,
    FEED_DATABASE_URL: /^postgres(ql)?:$/,
    REDIS_URL: /^rediss?:$/,
    CLICKHOUSE_URL: /^https?:$/,
  };
  return Object.entries(kinds).flatMap(([name, protocol]) => {
    const urls = own[name as keyof typeof kinds].split(',').filter((url) => url !== '');
    const wrong = urls.some((url) => !URL.canParse(url) || !protocol.test(new URL(url).protocol));
    const wanted = { REDIS_URL: 'redis:', CLICKHOUSE_URL: 'http: or https:' }[name] ?? 'postgresql:';
    return wrong ? [`${name} is not a ${wanted} URL`] : [];
  });
}

type CheckResult = { problems: string[]; failure?: string };

/** The stores' addresses are not known yet; a check does not talk to them. */
function problemsOf(
  { name, script, repository: folder = repository }: Definition,
  given: Environment,
  own: Settings | undefined,
): Promise<CheckResult> {
  const placeholder = 'postgresql://check@127.0.0.1:1/check';
  const environment = environmentOf(name, given, own ?? readSettings(settings, {}), {
    dataDir: given.LASTMILE_DATA_DIR || './data',
    redisUrl: own?.REDIS_URL || 'redis://127.0.0.1:1',
    clickhouseUrl: own?.CLICKHOUSE_URL || 'http://127.0.0.1:1/check',
    appDatabaseUrl: own?.APP_DATABASE_URL || placeholder,
    feedDatabaseUrl: own?.FEED_DATABASE_URL || placeholder,
    secretKeys: own?.LASTMILE_SECRET_KEY ?? ['check'],
    adminPassword: own?.ADMIN_PASSWORD || 'a password of the check',
  });
  return new Promise((resolve) => {
    const child = spawn(process.execPath, nodeArguments(script, ['--check'], folder), {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment,
      timeout: 60_000,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.once('error', (error) => resolve({ problems: [], failure: `${name} cannot be run: ${messageOf(error)}` }));
    child.once('close', (code) => {
      const problems = code === 0 ? [] : problemsIn(output);
      const failed = code !== 0 && problems.length === 0;
      resolve({ problems, ...(failed ? { failure: `${name} cannot start:\n${output.trim()}` } : {}) });
    });
  });
}

/** The problems of an InvalidSettings as it was printed or logged. */
function problemsIn(output: string): string[] {
  return output.split('\n').flatMap((line) => {
    const item = /^\s+- (.*)$/.exec(line)?.[1];
    return item === undefined ? loggedProblems(line) : [item];
  });
}

function loggedProblems(line: string): string[] {
  if (!line.startsWith('{')) return [];
  try {
    const { err } = JSON.parse(line) as { err?: { problems?: unknown } };
    return Array.isArray(err?.problems) ? err.problems.map(String) : [];
  } catch {
    return []; // Not a log line.
  }
}

function subjectOf(problem: string): string {
  return /^[A-Z][A-Z0-9_]+/.exec(problem)?.[0] ?? problem;
}
