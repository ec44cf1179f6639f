import { createHash } from 'node:crypto';

/** Name of the file that holds the units of a test, or of the hooks of a test file. */
export function ownerOf(file, test = '') {
  return createHash('sha256').update(`${file}\n${test}`).digest('hex').slice(0, 20);
}
