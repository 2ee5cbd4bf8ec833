// Who may import whom: the table of ARCHITECTURE.md, read from the sources.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';

const root = path.resolve(import.meta.dirname, '../..');
const alias = (...names: string[]) => new RegExp(`^#(${names.join('|')})/`);
const relative = /^\.\.?\//;
const node = /^node:/;
const npm = /^[@a-z]/;

/** First matching row decides. A path within the own top-level folder is relative or an alias of it. */
const table: readonly { folder: string; may: readonly RegExp[] }[] = [
  { folder: 'policy/ledger', may: [relative, alias('policy'), node, /^ioredis$/] },
  { folder: 'policy', may: [relative, alias('policy')] },
  { folder: 'aaa-server/wire', may: [relative, /^node:(buffer|crypto)$/] },
  { folder: 'aaa-server', may: [relative, alias('policy', 'ops', 'aaa-server'), node, npm] },
  { folder: 'flow-collector/wire', may: [relative, /^node:(buffer|crypto)$/] },
  { folder: 'flow-collector', may: [relative, alias('policy', 'ops', 'flow-collector'), node, npm] },
  { folder: 'control-api', may: [relative, alias('policy', 'ops', 'control-api'), node, npm] },
  { folder: 'ops', may: [relative, alias('policy', 'ops'), node, npm] },
  { folder: 'bench', may: [relative, alias('policy', 'ops', 'aaa-server', 'flow-collector', 'test'), node, npm] },
];

function sources(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|mjs)$/.test(entry.name))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));
}

function importsOf(file: string): string[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  return [
    ...text.matchAll(
      /^\s*(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm,
    ),
  ].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

t.test('every import is one the architecture allows', async (t) => {
  const problems: string[] = [];
  let checked = 0;
  for (const top of ['policy', 'aaa-server', 'flow-collector', 'control-api', 'ops', 'bench']) {
    for (const file of sources(top)) {
      const row = table.find(({ folder }) => file.startsWith(`${folder}/`));
      if (!row) continue;
      for (const specifier of importsOf(file)) {
        checked++;
        if (!row.may.some((pattern) => pattern.test(specifier))) problems.push(`${file} imports ${specifier}`);
        const target = specifier.startsWith('#')
          ? specifier.slice(1)
          : path.relative(root, path.resolve(root, path.dirname(file), specifier));
        const home = row.folder.endsWith('/wire') ? row.folder : top;
        if (relative.test(specifier) && !target.startsWith(`${home}/`)) {
          problems.push(`${file} leaves its folder: ${specifier}`);
        }
        if (row.folder === 'policy' && target.startsWith('policy/ledger/')) {
          problems.push(`${file} is pure and imports ${specifier}`);
        }
      }
    }
  }
  t.ok(checked > 0, `${checked} imports read`);
  t.strictSame(problems, []);
});

t.test('the pure policy reads no clock, no randomness and no environment', async (t) => {
  const impure = /\bDate\.now\(|new Date\(\)|Math\.random\(|\bprocess\.|performance\.now\(|\bfetch\(/;
  const problems = sources('policy')
    .filter((file) => !file.startsWith('policy/ledger/'))
    .filter((file) => impure.test(readFileSync(path.join(root, file), 'utf8')));
  t.strictSame(problems, []);
});

t.test('threads that serve load no schemas: seven hundred files, for each of them', async (t) => {
  const workers = ['aaa-server', 'flow-collector'].flatMap(sources).filter((file) => file.endsWith('.worker.ts'));
  t.ok(workers.length > 0);
  for (const worker of workers) t.notOk(loadedBy(worker).has('typebox'), worker);
});

/** Everything that a file loads when it runs: files of ours with what they load in turn, and packages by their names. */
function loadedBy(entry: string): Set<string> {
  const loaded = new Set([entry]);
  for (const file of loaded) {
    if (!file.endsWith('.ts')) continue;
    const text = readFileSync(path.join(root, file), 'utf8');
    for (const [, specifier = ''] of text.matchAll(/^(?:import|export)\s(?!type\s)(?:[^'";]*?from\s+)?'([^']+)'/gm)) {
      if (relative.test(specifier)) loaded.add(path.join(path.dirname(file), specifier));
      else loaded.add(specifier.startsWith('#') ? specifier.slice(1) : specifier);
    }
  }
  return loaded;
}
