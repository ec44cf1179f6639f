// Writes schemas/task-template.json from the schema that the parser uses. With --check, only compares. Uses dist:
//   npm run build && node scripts/write-json-schema.mjs
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { templateJsonSchema } from '../dist/template/generate/template-json-schema.js';

const file = new URL('../schemas/task-template.json', import.meta.url);
const text = `${JSON.stringify(templateJsonSchema(), null, 2)}\n`;

if (process.argv.includes('--check')) {
  const there = await readFile(file, 'utf8').catch(() => '');
  if (there.replaceAll('\r\n', '\n') !== text) {
    console.error('schemas/task-template.json is out of date; run node scripts/write-json-schema.mjs');
    process.exitCode = 1;
  }
} else {
  await mkdir(new URL('.', file), { recursive: true });
  await writeFile(file, text);
}
