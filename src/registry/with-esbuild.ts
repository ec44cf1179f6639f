import { messageOf } from '../errors.ts';

type Esbuild = typeof import('esbuild');

/** Why esbuild cannot be used; `install` names the package to install. */
export interface NoEsbuild {
  install: string;
}

let users = 0;

/**
 * Calls a function with esbuild, and ends the process of esbuild after the last user. It would otherwise live as long
 * as this process. An install without optional packages has no esbuild. If it also runs no install scripts, it may have
 * esbuild without its program.
 */
export async function withEsbuild<T>(use: (esbuild: Esbuild) => Promise<T>): Promise<T | NoEsbuild> {
  const esbuild = await installedEsbuild();
  if (!esbuild) return { install: 'esbuild' };
  users += 1;
  try {
    return await use(esbuild);
  } catch (thrown) {
    const [, program] = /The package "(@esbuild\/[^"]+)" could not be found/.exec(messageOf(thrown)) ?? [];
    if (program) return { install: `${program}@${esbuild.version}` };
    throw thrown;
  } finally {
    users -= 1;
    if (users === 0) await esbuild.stop();
  }
}

/** Whether {@link withEsbuild} returned that esbuild is missing. */
export function isNoEsbuild(answer: unknown): answer is NoEsbuild {
  return typeof answer === 'object' && answer !== null && 'install' in answer;
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
