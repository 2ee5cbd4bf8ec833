// The docs say what is: generated pages are current, links and commands exist.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { pages } from './pages.ts';

const root = path.resolve(import.meta.dirname, '../..');
const scripts = Object.keys(JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).scripts);
const markdown = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  'bench/README.md',
  ...readdirSync(path.join(root, 'ops/docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join('ops/docs', name)),
];

for (const { file, text } of pages) {
  t.test(`${path.basename(file)} is what \`npm run docs\` writes`, async (t) => {
    t.equal(readFileSync(file, 'utf8'), text);
  });
}

t.test('every relative link of the docs leads somewhere', async (t) => {
  const broken = markdown.flatMap((file) =>
    [...readFileSync(path.join(root, file), 'utf8').matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
      .map((match) => match[1] ?? '')
      .filter((link) => !existsSync(path.resolve(root, path.dirname(file), link)))
      .map((link) => `${file} → ${link}`),
  );
  t.strictSame(broken, []);
});

t.test('every path the README and ARCHITECTURE name exists', async (t) => {
  const gone = ['README.md', 'ARCHITECTURE.md', 'ops/docs/status.md'].flatMap((file) =>
    [
      ...readFileSync(path.join(root, file), 'utf8').matchAll(
        /`((?:policy|aaa-server|control-api|ops|bench|test)\/[\w./-]*)`/g,
      ),
    ]
      .map((match) => match[1] ?? '')
      .filter((name) => !existsSync(path.join(root, name)))
      .map((name) => `${file} → ${name}`),
  );
  t.strictSame(gone, []);
});

t.test('every npm command of the docs exists', async (t) => {
  const known = new Set([...scripts, 'ci', 'install']);
  const unknown = markdown.flatMap((file) =>
    [...readFileSync(path.join(root, file), 'utf8').matchAll(/(?:`|^|&& )npm (?:run )?([a-z][a-z:-]*)/gm)]
      .map((match) => match[1] ?? '')
      .filter((name) => !known.has(name) && name !== 'run')
      .map((name) => `${file} → npm ${name}`),
  );
  t.strictSame([...new Set(unknown)], []);
});
