import type { BuildOptions } from 'esbuild';
import { messageOf } from '../errors.ts';

type Esbuild = typeof import('esbuild');

/** Build options that make imports resolve as in Node. */
export const AS_NODE_LOADS = {
  bundle: true,
  write: false,
  format: 'esm',
  platform: 'node',
  // The export conditions of Node. By default, esbuild would add `module`.
  conditions: [],
  mainFields: ['main'],
  logLevel: 'silent',
} satisfies BuildOptions;

let users = 0;

/**
 * Calls a function with esbuild, and stops the esbuild process after the last use, because it would otherwise live as
 * long as this process. esbuild may be missing without optional packages, and its binary without install scripts. In
 * both cases, `without` is called with the package to install.
 */
export async function withEsbuild<T>(
  use: (esbuild: Esbuild) => Promise<T>,
  without: (install: string) => T,
): Promise<T> {
  const esbuild = await installedEsbuild();
  if (!esbuild) return without('esbuild');
  users += 1;
  try {
    return await use(esbuild);
  } catch (thrown) {
    const [, program] = /The package "(@esbuild\/[^"]+)" could not be found/.exec(messageOf(thrown)) ?? [];
    if (program) return without(`${program}@${esbuild.version}`);
    throw thrown;
  } finally {
    users -= 1;
    if (users === 0) await esbuild.stop();
  }
}

async function installedEsbuild(): Promise<Esbuild | undefined> {
  try {
    return await import('esbuild');
  } catch (thrown) {
    const missing = (thrown as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    if (missing && /Cannot find package 'esbuild'/.test(messageOf(thrown))) return undefined;
    throw thrown;
  }
}
