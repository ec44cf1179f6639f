import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

/** The pages of the documentation. */
export const PAGES = [
  ...['README.md', 'CONTRIBUTING.md'].filter((file) => existsSync(file)),
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => path.join('docs', file)),
];
