import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, TaskerError } from '../../errors.ts';

/** The data of a project that `tasker init` needs. */
export interface Project {
  folder: string;
  /** The text of `package.json`. */
  text: string;
  usesTypeScript: boolean;
  usesVitest: boolean;
  usesZod: boolean;
  /** Module type of its `.js` and `.ts` files. `unset` means CommonJS, except for a `.js` file with `import`. */
  modules: 'esm' | 'commonjs' | 'unset';
  dependsOnUs: boolean;
}

interface Manifest {
  name?: string;
  version?: string;
  type?: string;
  scripts?: Record<string, string>;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

/** Reads a project's `package.json`. @throws TaskerError `bad_request` if it is missing or not valid JSON */
export async function readPackage(folder: string): Promise<Project> {
  const file = path.join(folder, 'package.json');
  if (!existsSync(file)) {
    throw new TaskerError('bad_request', `no package.json in ${folder}; run \`npm init -y\` first`);
  }
  const text = await readFile(file, 'utf8');
  const { dependencies, devDependencies, type } = parse(text, file);
  const has = (name: string) => name in { ...dependencies, ...devDependencies };
  return {
    folder,
    text,
    usesTypeScript: has('typescript') || existsSync(path.join(folder, 'tsconfig.json')),
    usesVitest: has('vitest'),
    usesZod: has('zod'),
    modules: type === 'module' ? 'esm' : type === 'commonjs' ? 'commonjs' : 'unset',
    dependsOnUs: has('tasker-core'),
  };
}

/**
 * Returns the name and version of the project in a folder. Without a `package.json`, these are the folder's name and
 * 0.0.0.
 */
export async function readIdentity(folder: string): Promise<{ name: string; version: string }> {
  const file = path.join(folder, 'package.json');
  const { name, version } = existsSync(file) ? parse(await readFile(file, 'utf8'), file) : {};
  return { name: name || path.basename(folder) || 'tasker', version: version || '0.0.0' };
}

function parse(text: string, file: string): Manifest {
  try {
    return JSON.parse(text) as Manifest;
  } catch (cause) {
    throw new TaskerError('bad_request', `${file} is not valid JSON: ${messageOf(cause)}`, { cause });
  }
}

/** The script `test` that `npm init` writes. */
const NO_TEST = 'echo "Error: no test specified" && exit 1';

/** Adds the scripts whose names are unused, and returns those names. Replaces npm's placeholder. */
export async function addScripts({ folder, text }: Project, scripts: Record<string, string>): Promise<string[]> {
  const file = path.join(folder, 'package.json');
  const manifest = parse(text, file);
  const fresh = Object.entries(scripts).filter(([name]) => [undefined, NO_TEST].includes(manifest.scripts?.[name]));
  if (fresh.length === 0) return [];
  const changed = { ...manifest, scripts: { ...manifest.scripts, ...Object.fromEntries(fresh) } };
  const indent = /^([ \t]+)"/m.exec(text)?.[1] ?? '  ';
  await writeFile(file, `${JSON.stringify(changed, null, indent)}${text.endsWith('\n') ? '\n' : ''}`);
  return fresh.map(([name]) => name);
}
