// Writes llms.txt from docs/README.md.
//   node scripts/write-llms.mjs          writes it
//   node scripts/write-llms.mjs --check  only compares
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { llmsText } from './docs/llms-text.mjs';

const root = path.dirname(import.meta.dirname);
const read = (file) => readFileSync(path.join(root, file), 'utf8').replaceAll('\r\n', '\n');

const text = llmsText(read('docs/README.md'), JSON.parse(read('package.json')));
if (!process.argv.includes('--check')) writeFileSync(path.join(root, 'llms.txt'), text);
else if (text !== read('llms.txt')) {
  console.error('llms.txt: out of date; run npm run reference');
  process.exitCode = 1;
}
