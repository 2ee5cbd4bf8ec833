// The templates of exporters, kept over a restart: a router announces its own only every few minutes.
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { codeOf } from '#ops/runtime/errors.ts';
import type { Logger } from '#ops/runtime/log.ts';
import type { Learned, Snapshot } from '../wire/learned.ts';

/** Undefined without a file. One that is damaged is nothing to stop for: the templates come again. */
export function readTemplates(file: string, log: Logger): Snapshot | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Snapshot;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') log.warn({ err: error, file }, 'the templates of the last run cannot be read');
    return undefined;
  }
}

export async function writeTemplates(file: string, snapshots: Iterable<Snapshot>): Promise<void> {
  const draft = `${file}.new`;
  await writeFile(draft, JSON.stringify(merged(snapshots)), { mode: 0o600 });
  await rename(draft, file);
}

/** Workers share what they learn; of the same thing the newest counts. */
function merged(snapshots: Iterable<Snapshot>): Snapshot {
  const learned = new Map<string, Learned>();
  const domains = new Map<string, Snapshot['domains'][number]>();
  for (const snapshot of snapshots) {
    for (const entry of snapshot.learned) {
      const key = keyOf(entry);
      const other = learned.get(key);
      const isOlder =
        entry.kind === 'template' && other?.kind === 'template' && other.announcedAtMs > entry.announcedAtMs;
      if (!isOlder) learned.set(key, entry);
    }
    for (const domain of snapshot.domains) {
      domains.set(`${domain.exporter} ${domain.version} ${domain.sourceId}`, domain);
    }
  }
  return { format: 1, learned: [...learned.values()], domains: [...domains.values()] };
}

function keyOf(entry: Learned): string {
  const { exporter, version, sourceId } = entry;
  const what = entry.kind === 'template' ? `template ${entry.id}` : `rate ${entry.scope} ${entry.key}`;
  return `${exporter} ${version} ${sourceId} ${what}`;
}
