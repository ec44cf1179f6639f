// Writes schemas/task-template.json from the form that the parser uses. Run it after a build: node scripts/write-json-schema.mjs
import { mkdir, writeFile } from 'node:fs/promises';
import { templateJsonSchema } from '../dist/template/template-json-schema.js';

const file = new URL('../schemas/task-template.json', import.meta.url);
await mkdir(new URL('.', file), { recursive: true });
await writeFile(file, `${JSON.stringify(templateJsonSchema(), null, 2)}\n`);
