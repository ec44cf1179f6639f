// Writes schemas/task-template.json from the form that the parser uses; with --check only compares. It reads dist:
//   npm run build && node scripts/write-json-schema.mjs
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { templateJsonSchema } from '../dist/template/template-json-schema.js';

const file = new URL('../schemas/task-template.json', import.meta.url);
const text = `${JSON.stringify(templateJsonSchema(), null, 2)}\n`;

if (process.argv.includes('--check')) {
  const there = await readFile(file, 'utf8').catch(() => '');
  if (there.replaceAll('\r\n', '\n') !== text) {
    console.error('schemas/task-template.json is not what the parser takes: run node scripts/write-json-schema.mjs');
    process.exitCode = 1;
  }
} else {
  await mkdir(new URL('.', file), { recursive: true });
  await writeFile(file, text);
}
