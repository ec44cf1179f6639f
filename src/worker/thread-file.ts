/**
 * Where the program of a thread lies: beside this module. When this package runs from its sources, as in its own tests,
 * it is that of the build: a thread of Node 20 reads JavaScript only.
 */
export function threadFile(name: string): URL {
  const folder = import.meta.url.endsWith('.ts') ? '../../dist/worker/' : './';
  return new URL(`${folder}${name}.js`, import.meta.url);
}
