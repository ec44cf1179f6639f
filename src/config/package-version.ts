import { readFileSync } from 'node:fs';

/** Returns a file of this package by its path, such as `bin/tasker.js`. */
export function packageFile(path: string): URL {
  // From the sources, the compiled modules and the bundle alike: each has this code two folders below the package.
  return new URL(`../../${path}`, import.meta.url);
}

/** Returns the version of this package. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version;
}
