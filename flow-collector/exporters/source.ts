// Reads exporters and access servers from PostgreSQL every few seconds, and keeps them in a file for starts without it.
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { Client } from 'pg';
import type { ReadyCheck } from '#ops/runtime/admin.ts';
import { type Clock, systemClock } from '#ops/runtime/clock.ts';
import { codeOf, messageOf } from '#ops/runtime/errors.ts';
import type { Part } from '#ops/runtime/lifecycle.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { CountDirection, ExporterRole } from '#policy/flow/exporter.ts';
import { type ExporterSettings, noExporters } from './settings.ts';

export type ExporterSourceOptions = {
  databaseUrl: string;
  file: string;
  log: Logger;
  /** They are different now. */
  onChange(settings: ExporterSettings): void;
  everyMs?: number;
  clock?: Clock;
};

export type ExporterSource = Part & {
  current(): ExporterSettings;
  ready: ReadyCheck;
};

const believedEmptyMs = 600_000;

type ExporterColumns = {
  tenant_id: string;
  id: string;
  address: string;
  role: ExporterRole;
  sampling_rate: number | null;
  count_direction: CountDirection;
  totals_are_deltas: boolean;
};

export function createExporterSource(options: ExporterSourceOptions): ExporterSource {
  const { databaseUrl, file, log, onChange, everyMs = 5000, clock = systemClock } = options;
  let text = readFile(file, log);
  let settings = text === '' ? noExporters : (JSON.parse(text) as ExporterSettings);
  let trouble: string | null = 'exporters were not read yet';
  let emptySinceMs: number | undefined;
  let client: Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;

  async function connected(): Promise<Client> {
    if (client) return client;
    const made = new Client({
      connectionString: databaseUrl,
      application_name: 'flow-collector',
      connectionTimeoutMillis: 5000,
      query_timeout: 10_000,
      keepAlive: true,
    });
    made.on('error', () => {
      // The next look connects anew.
      if (client === made) client = undefined;
    });
    await made.connect();
    client = made;
    return made;
  }

  async function look(): Promise<void> {
    try {
      const found = await readSettings(await connected());
      if (isSuspicious(found)) {
        if (!trouble) log.error('PostgreSQL has no exporters any more: those known stay for ten minutes');
        trouble = 'PostgreSQL has no exporters any more: those known stay for ten minutes';
        return;
      }
      const now = JSON.stringify(found);
      if (now !== text) {
        await keep(now);
        text = now;
        settings = found;
        onChange(found);
      }
      if (trouble) log.info({ exporters: found.exporters.length }, 'exporters read');
      trouble = null;
    } catch (error) {
      if (trouble === null) log.warn({ err: error }, 'exporters cannot be read, those known stay');
      trouble = `PostgreSQL: ${messageOf(error)}`;
      await client?.end().catch(() => undefined);
      client = undefined;
    }
  }

  /** None at all, where there were some: a database restored or mistaken would end the counting of everybody at once. */
  function isSuspicious({ exporters }: ExporterSettings): boolean {
    const vanished = exporters.length === 0 && settings.exporters.length > 0;
    emptySinceMs = vanished ? (emptySinceMs ?? clock.monotonicMs()) : undefined;
    return emptySinceMs !== undefined && clock.monotonicMs() - emptySinceMs < believedEmptyMs;
  }

  async function keep(content: string): Promise<void> {
    await writeFile(`${file}.new`, content, { mode: 0o600, flush: true });
    await rename(`${file}.new`, file);
  }

  return {
    name: 'exporters',
    current: () => settings,
    ready: { name: 'exporters', check: () => trouble },
    async start() {
      const again = () => {
        looking ??= look().finally(() => {
          looking = undefined;
        });
      };
      again();
      timer ??= setInterval(again, everyMs);
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await looking;
      await client?.end();
      client = undefined;
    },
  };
}

async function readSettings(client: Client): Promise<ExporterSettings> {
  const { rows: exporters } = await client.query<ExporterColumns>(
    'SELECT tenant_id, id, address, role, sampling_rate, count_direction, totals_are_deltas FROM feed_exporter ORDER BY id',
  );
  const { rows: prefixes } = await client.query<{ tenant_id: string; prefix: string }>(
    'SELECT DISTINCT tenant_id, address AS prefix FROM feed_nas ORDER BY 1, 2',
  );
  return {
    exporters: exporters.map((row) => ({
      tenantId: Number(row.tenant_id),
      id: Number(row.id),
      address: row.address,
      role: row.role,
      samplingRate: row.sampling_rate,
      countDirection: row.count_direction,
      totalsAreDeltas: row.totals_are_deltas,
    })),
    prefixes: prefixes.map(({ tenant_id, prefix }) => ({ tenantId: Number(tenant_id), prefix })),
  };
}

/** '' without a file, or one that is damaged: PostgreSQL tells it again. */
function readFile(file: string, log: Logger): string {
  try {
    const text = readFileSync(file, 'utf8');
    JSON.parse(text);
    return text;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') log.warn({ err: error, file }, 'the exporters of the last run cannot be read');
    return '';
  }
}
