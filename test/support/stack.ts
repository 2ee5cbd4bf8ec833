// The whole product as an operator starts it, for the tests that speak to it from outside.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { codeOf } from '#ops/runtime/errors.ts';
import { until } from './wait.ts';

const root = path.resolve(import.meta.dirname, '../..');
const adminPassword = 'correct horse battery staple';

export type Stack = {
  readonly dataDir: string;
  readonly authTarget: string;
  readonly acctTarget: string;
  readonly apiUrl: string;
  readonly aaaAdminUrl: string;
  /** Where exporters send NetFlow, and the admin port of flow-collector. */
  readonly netflowPort: number;
  readonly flowAdminUrl: string;
  /** JSON of an API call as super admin of tenant demo; throws on a status other than 2xx. */
  api(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Everything the stack printed. */
  output(): string;
  seed(subscribers: number): Promise<void>;
  /** Process id of the one child of the supervisor whose command line contains `text`, e.g. `aaa-server/main.ts`. */
  pidOf(text: string): number;
  /** Of all of them. */
  pidsOf(text: string): number[];
  stop(): Promise<void>;
};

type Teardown = { teardown(handler: () => unknown): unknown };

/** Starts `npm start`'s program on free ports in a fresh data folder; `environment` overrides (e.g. DATABASE_URL). */
export async function startStack(t: Teardown, environment: Record<string, string> = {}): Promise<Stack> {
  const dataDir = environment.LASTMILE_DATA_DIR ?? mkdtempSync(path.join(tmpdir(), 'lastmile-stack-'));
  const [auth, acct, http, admin, netflow, flowAdmin] = await freePorts(6);
  const settings: Record<string, string> = {
    LASTMILE_DATA_DIR: dataDir,
    RADIUS_AUTH_PORT: String(auth),
    RADIUS_ACCT_PORT: String(acct),
    HTTP_PORT: String(http),
    AAA_ADMIN_PORT: String(admin),
    AAA_WORKERS: '2',
    NETFLOW_PORT: String(netflow),
    FLOW_ADMIN_PORT: String(flowAdmin),
    FLOW_WORKERS: '2',
    ADMIN_EMAIL: 'admin@example.com',
    ADMIN_PASSWORD: adminPassword,
    ...environment,
  };
  let printed = '';
  const child = spawn(process.execPath, ['ops/run.mjs', 'ops/up.ts'], {
    cwd: root,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
  const stop = () => stopChild(child);
  t.teardown(async () => {
    await stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  const apiUrl = `http://127.0.0.1:${http}`;
  const aaaAdminUrl = `http://127.0.0.1:${admin}`;
  await until(
    async () => {
      if (child.exitCode !== null) throw new Error(`the stack ended with ${child.exitCode}:\n${printed}`);
      return (await isReady(`${apiUrl}/readyz`)) && (await isReady(`${aaaAdminUrl}/healthz`));
    },
    () => `the stack is ready; it printed:\n${printed}`,
    180_000,
  );

  let token = '';
  const call = async (method: string, url: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${apiUrl}/api/v1${url}`, {
      method,
      headers: {
        ...(token ? { authorization: `Bearer ${token}`, 'x-tenant': 'demo' } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  const login = (await call('POST', '/auth/login', { identifier: 'admin@example.com', password: adminPassword })) as {
    access_token: string;
  };
  token = login.access_token;

  return {
    dataDir,
    authTarget: `127.0.0.1:${auth}`,
    acctTarget: `127.0.0.1:${acct}`,
    apiUrl,
    aaaAdminUrl,
    netflowPort: Number(netflow),
    flowAdminUrl: `http://127.0.0.1:${flowAdmin}`,
    api: call,
    output: () => printed,
    seed: (subscribers) =>
      runToEnd(['ops/run.mjs', 'ops/seed/main.ts', '--subscribers', String(subscribers)], settings, () => printed),
    pidOf: (text) => childOf(child, text),
    pidsOf: (text) => childrenOf(child, text),
    stop,
  };
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

function runToEnd(args: string[], environment: Record<string, string>, context: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${args.join(' ')} ended with ${code}:\n${printed}\n${context()}`)),
    );
  });
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await closed;
  clearTimeout(timer);
}

/** The pid of the process below `parent` whose command line contains `text`, read from /proc. */
function childOf(parent: ChildProcess, text: string): number {
  const found = childrenOf(parent, text);
  if (found.length !== 1) throw new Error(`${found.length} processes run ${text}`);
  return found[0]!;
}

function childrenOf(parent: ChildProcess, text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return status.includes(`PPid:\t${parent.pid}\n`) && commandLine.includes(text);
      } catch (error) {
        if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return false;
        throw error;
      }
    });
}
