import { createHash } from 'node:crypto';

/** Name of the file with the units of a test, or of a test file's hooks. */
export function ownerOf(file, test = '') {
  return createHash('sha256').update(`${file}\n${test}`).digest('hex').slice(0, 20);
}
