// PostgreSQL as a child of `npm start`, from the programs of an npm package: initialised, started, stopped by ourselves.
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { codeOf, messageOf } from '#ops/runtime/errors.ts';
import { type DataFolder, writeRecord } from '../data-folder.ts';
import { type OsUser, unprivilegedUser } from './os-user.ts';
import { freePort, isFree } from './ports.ts';
import { findPostgresBinaries, type PostgresBinaries, reachableBinaries } from './postgres-binaries.ts';
import {
  checkData,
  dataDirectory,
  homeOutside,
  makeHome,
  type PostgresRecord,
  postgresRecord,
  prepareDirectory,
} from './postgres-place.ts';
import { gone, mastersOf, processesIn } from './processes.ts';
import { lastLines, runProgram, type ServerProcess, spawnServer, stopServer } from './server-process.ts';
import type { EmbeddedStore, Say } from './store.ts';

export type EmbeddedPostgresOptions = {
  folder: DataFolder;
  /** EMBEDDED_POSTGRES_PORT; else a free port, recorded in the data folder. */
  port?: number | undefined;
  /** Server settings beyond ours; tests turn fsync off. */
  parameters?: Readonly<Record<string, string>>;
  say: Say;
};

const OWNER = 'lastmile_owner';
const DATABASE = 'lastmile';
const PROGRAMS = ['postgres'];

/** Fast: open transactions are rolled back. Immediate, the last resort, costs a recovery at the next start. */
const stopSteps = [
  ['SIGINT', 30_000],
  ['SIGQUIT', 10_000],
  ['SIGKILL', 5000],
] as const;

export function createEmbeddedPostgres({ folder, port, parameters = {}, say }: EmbeddedPostgresOptions): EmbeddedStore {
  const logFile = path.join(folder.path, 'logs', 'postgres.log');
  let server: ServerProcess | undefined;
  let record: PostgresRecord | undefined;

  return {
    name: 'PostgreSQL',
    url() {
      if (!record) throw new Error('PostgreSQL was not started');
      return postgresUrl(record);
    },
    async start() {
      const user = unprivilegedUser(say);
      const binaries = binariesFor(folder, user);
      const known = postgresRecord(folder) ?? (await initialise(folder, binaries, user, say));
      const directory = dataDirectory(folder, known);
      // Once there is a record the draft is complete: whole or not at all, also when we are killed in between.
      if (!existsSync(directory) && existsSync(`${directory}.new`)) renameSync(`${directory}.new`, directory);
      checkData(directory, user, majorOf(binaries));
      await stopOrphan(directory, binaries, user, say);
      // Restarted, it must be where its clients look for it.
      record = { ...known, port: await choosePort(port ?? record?.port, known.port, say) };
      writeRecord(folder, 'postgres', record);
      mkdirSync(path.dirname(logFile), { recursive: true, mode: 0o700 });
      const settings = {
        listen_addresses: '127.0.0.1',
        port: String(record.port),
        unix_socket_directories: '',
        ...parameters,
      };
      server = await spawnServer({
        command: binaries.postgres,
        args: ['-D', directory, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
        logFile,
        user,
      });
      try {
        await serving(server, postgresUrl(record), logFile, say);
      } catch (error) {
        await stopServer(server, stopSteps);
        throw error;
      }
    },
    stop: async () => {
      if (server) await stopServer(server, stopSteps);
      server = undefined;
    },
    abandon: () => server?.kill('SIGINT'),
    ended: async () => {
      if (!server) throw new Error('PostgreSQL was not started');
      return `${await server.ended}; its log ends:\n${lastLines(logFile, 6)}`;
    },
  };
}

/** The owner's URL of the embedded server. */
export function postgresUrl({ port, password }: PostgresRecord): string {
  return `postgresql://${OWNER}:${password}@127.0.0.1:${port}/${DATABASE}`;
}

function binariesFor(folder: DataFolder, user: OsUser | undefined): PostgresBinaries {
  const home = homeOutside(folder);
  const found = findPostgresBinaries();
  return reachableBinaries(found, user, () => {
    makeHome(home);
    return home;
  });
}

async function initialise(
  folder: DataFolder,
  binaries: PostgresBinaries,
  user: OsUser | undefined,
  say: Say,
): Promise<PostgresRecord> {
  const { draft, directory } = prepareDirectory(folder, user);
  const final = path.resolve(folder.path, directory);
  if (existsSync(final)) {
    throw new Error(`${final} exists, but postgres.json of the data folder is missing: restore both from a backup`);
  }
  say(`creating PostgreSQL's data in ${final}`);
  const password = randomBytes(24).toString('base64url');
  const passwordFile = `${draft}.password`;
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user) chownSync(passwordFile, user.uid, user.gid);
  const access = ['-U', OWNER, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
  // The collation comes with the programs, so that an upgrade of the C library cannot corrupt an index.
  const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'];
  const problem = await runProgram(binaries.initdb, ['-D', draft, ...access, ...locale, '--no-instructions'], user);
  rmSync(passwordFile, { force: true });
  if (problem !== undefined) {
    rmSync(draft, { recursive: true, force: true });
    throw new Error(`initdb failed: ${problem}`);
  }
  const record = { port: 0, password, directory };
  writeRecord(folder, 'postgres', record);
  return record;
}

/** The server that an unclean stop left behind would keep the data directory locked. */
async function stopOrphan(
  directory: string,
  binaries: PostgresBinaries,
  user: OsUser | undefined,
  say: Say,
): Promise<void> {
  const left = processesIn(directory, PROGRAMS);
  if (left.length === 0) return;
  const masters = mastersOf(left).map(({ pid }) => pid);
  say(`stopping the PostgreSQL that an unclean stop left running (process ${masters.join(', ')})`);
  const problem = await runProgram(binaries.pgCtl, ['-D', directory, '-m', 'fast', '-w', '-t', '30', 'stop'], user);
  // Children of a killed postmaster notice its death within seconds; starting beside them could damage the data.
  if (await gone(directory, PROGRAMS, 10_000)) return;
  throw new Error(
    `the PostgreSQL that an unclean stop left running does not stop (${problem ?? 'it goes on'}): end process ${masters.join(', ')} and start again`,
  );
}

/** A port that is set must be free; a recorded one is replaced when another program took it. */
async function choosePort(fixed: number | undefined, recorded: number, say: Say): Promise<number> {
  if (fixed !== undefined) {
    if (await isFree(fixed)) return fixed;
    throw new Error(
      `port ${fixed} of PostgreSQL (EMBEDDED_POSTGRES_PORT) is in use by another program: stop it, or set another port`,
    );
  }
  if (recorded !== 0 && (await isFree(recorded))) return recorded;
  const port = await freePort();
  if (recorded !== 0) say(`port ${recorded} is in use by another program: PostgreSQL moves to ${port}`);
  return port;
}

async function serving(server: ServerProcess, url: string, logFile: string, say: Say): Promise<void> {
  const deadlineMs = 300_000;
  const started = performance.now();
  let told = 0;
  for (;;) {
    if (server.hasEnded()) throw new Error(`PostgreSQL ended (${await server.ended}); its log:\n${lastLines(logFile)}`);
    const problem = await createDatabase(url);
    if (problem === undefined) return;
    const waited = performance.now() - started;
    if (waited > deadlineMs) {
      throw new Error(`PostgreSQL does not answer (${problem}); its log:\n${lastLines(logFile)}`);
    }
    if (waited - told > 10_000) {
      told = waited;
      say(`waiting for PostgreSQL: ${problem}`);
    }
    await delay(30);
  }
}

/** @returns what keeps the server from answering, or undefined when it serves and the database exists. */
async function createDatabase(url: string): Promise<string | undefined> {
  const maintenance = new URL(url);
  maintenance.pathname = '/postgres';
  const client = new Client({ connectionString: maintenance.href, connectionTimeoutMillis: 5000 });
  let lost = '';
  client.on('error', (error) => {
    lost = messageOf(error);
  });
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
    return undefined;
  } catch (error) {
    if (codeOf(error) === '28P01') {
      throw new Error('PostgreSQL refuses the password of postgres.json: restore it from a backup', { cause: error });
    }
    return lost || messageOf(error);
  } finally {
    await client.end().catch(messageOf);
  }
}

function majorOf({ version }: PostgresBinaries): number {
  return Number(version.split('.')[0]);
}
