// Prints all statements of the built package, as JSON: [{ name, text }]. Reads the package in the current folder.
import { readdirSync } from 'node:fs';
import { register } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** Makes `dist/store/sql.js` note each statement that it creates. */
const HOOKS = `
  export async function load(url, context, next) {
    const loaded = await next(url, context);
    if (!url.endsWith('/dist/store/sql.js')) return loaded;
    const source = String(loaded.source)
      .replace('export const sql =', 'globalThis.noted = []; const plain =')
      .replace('export function sqlFile(', 'function plainFile(');
    const noting = \`
      const note = (statement) => (globalThis.noted.push(statement), statement);
      export const sql = (name) => (...given) => note(plain(name)(...given));
      export const sqlFile = (name) => note(plainFile(name));\`;
    return { ...loaded, source: source + noting };
  }`;
register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);

const STORE = path.resolve('dist/store');
for (const file of readdirSync(STORE, { recursive: true })) {
  if (file.endsWith('.js')) await import(pathToFileURL(path.join(STORE, file)).href);
}
process.stdout.write(JSON.stringify(globalThis.noted.map(({ name, text }) => ({ name, text }))));
