// Writes the table of instruments in docs/instruments.md. Uses dist: npm run reference
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { INSTRUMENTS } from '../dist/metrics/instruments.js';
import { instrumentsTable, withInstruments } from './docs/instruments-table.mjs';

const file = (name) => fileURLToPath(new URL(`../docs/${name}`, import.meta.url));
const page = file('instruments.md');
const absent = JSON.parse(readFileSync(file('absent-instruments.json'), 'utf8'));
writeFileSync(page, withInstruments(readFileSync(page, 'utf8'), instrumentsTable(INSTRUMENTS, absent)));
