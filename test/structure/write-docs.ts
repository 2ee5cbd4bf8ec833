// `npm run docs`: writes the generated pages.
import { writeFileSync } from 'node:fs';
import { pages } from './pages.ts';

for (const { file, text } of pages) {
  writeFileSync(file, text);
  console.log(`wrote ${file}`);
}
