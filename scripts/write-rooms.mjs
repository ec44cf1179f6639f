// Writes the table of rooms in CONTRIBUTING.md: node scripts/write-rooms.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withRooms } from './rooms.mjs';

const file = fileURLToPath(new URL('../CONTRIBUTING.md', import.meta.url));
writeFileSync(file, withRooms(readFileSync(file, 'utf8').replaceAll('\r\n', '\n')));
