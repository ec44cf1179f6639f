import { readFileSync } from 'node:fs';

/** Returns the URL of a file of this package, given its path from the root of the package, such as `bin/tasker.js`. */
export function packageFile(path: string): URL {
  // Works in src/, dist/ and dist/bundle/, because this code is two folders below the root in each.
  return new URL(`../../${path}`, import.meta.url);
}

/** Returns the version of this package. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version;
}
