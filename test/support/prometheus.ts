// Debian's Prometheus with the product's own configuration and rules, over the processes of a test, scraping every second.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '#ops/stores/embedded/ports.ts';
import { onExit } from './exit.ts';
import { until } from './wait.ts';

export type Series = { readonly metric: Readonly<Record<string, string>> };

export type RuleState = {
  readonly name: string;
  readonly query: string;
  readonly health: string;
  readonly lastError?: string;
  readonly state: 'inactive' | 'pending' | 'firing';
  readonly alerts: readonly { readonly labels: Readonly<Record<string, string>> }[];
};

export type TestPrometheus = {
  readonly url: string;
  /** What the API answers under `data`; throws with its error. */
  get<T>(path: string, parameters?: Readonly<Record<string, string>>): Promise<T>;
  /** Series of an instant query now. */
  query(expr: string): Promise<readonly Series[]>;
  /** Series over the last `seconds`, a value every second. */
  queryRange(expr: string, seconds: number): Promise<readonly Series[]>;
  rules(): Promise<readonly RuleState[]>;
};

type Teardown = { teardown(handler: () => unknown): unknown };

const folder = path.resolve(import.meta.dirname, '../../ops/deploy/prometheus');

/** `targets`: job of prometheus.yml → `host:port`; a job without one is left out. */
export async function startPrometheus(t: Teardown, targets: Readonly<Record<string, string>>): Promise<TestPrometheus> {
  const data = mkdtempSync(path.join(tmpdir(), 'lastmile-prometheus-'));
  const file = path.join(data, 'prometheus.yml');
  writeFileSync(file, configuration(targets));
  const port = await freePort();
  const child = spawn(
    'prometheus',
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${path.join(data, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
  const forget = onExit(() => child.kill('SIGKILL'));
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await closed;
    }
    forget();
    rmSync(data, { recursive: true, force: true });
  });

  const url = `http://127.0.0.1:${port}`;
  await until(
    async () => {
      if (child.exitCode !== null) throw new Error(`prometheus ended:\n${printed}`);
      return (await fetch(`${url}/-/ready`)).ok;
    },
    () => `prometheus is ready; it printed:\n${printed}`,
    30_000,
  );

  async function get<T>(name: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> {
    const response = await fetch(`${url}/api/v1/${name}?${new URLSearchParams(parameters)}`);
    const answer = (await response.json()) as { status: string; data: T; error?: string };
    if (answer.status !== 'success') throw new Error(answer.error ?? `status ${response.status}`);
    return answer.data;
  }

  return {
    url,
    get,
    query: async (query) => (await get<{ result: Series[] }>('query', { query })).result,
    async queryRange(query, seconds) {
      const end = Date.now() / 1000;
      const range = { start: String(end - seconds), end: String(end), step: '1' };
      return (await get<{ result: Series[] }>('query_range', { query, ...range })).result;
    },
    rules: async () => (await get<{ groups: { rules: RuleState[] }[] }>('rules')).groups.flatMap(({ rules }) => rules),
  };
}

function configuration(targets: Readonly<Record<string, string>>): string {
  const [head = '', ...jobs] = readFileSync(path.join(folder, 'prometheus.yml'), 'utf8').split(/^(?= +- job_name: )/m);
  const kept = jobs.flatMap((text) => {
    const target = targets[/job_name: (\S+)/.exec(text)?.[1] ?? ''];
    return target === undefined ? [] : [text.replace(/targets: \[.*\]/, `targets: ['${target}']`)];
  });
  return [head, ...kept]
    .join('')
    .replace(/_interval: 15s/g, '_interval: 1s')
    .replace('rules/*.yml', path.join(folder, 'rules/*.yml'));
}
