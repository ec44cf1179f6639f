import { messageOf } from '../errors.ts';

type Esbuild = typeof import('esbuild');

/** Why esbuild cannot be used; `install` names the package to install. */
export interface NoEsbuild {
  install: string;
}

let users = 0;

/**
 * Gives esbuild to a function, and ends its process after the last user: it would otherwise live as long as ours.
 * An install without optional packages has no esbuild, and one without optional packages and install scripts has esbuild
 * without its program.
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

/** Whether an answer of {@link withEsbuild} is that there is none. */
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
