import { messageOf } from '../errors.ts';

let users = 0;

/**
 * Lets somebody use esbuild. Its process would stay for as long as ours, with nothing to do: it ends with its last user.
 * 'no esbuild': an install without optional packages has no program to run.
 */
export async function withEsbuild<T>(
  use: (esbuild: typeof import('esbuild')) => Promise<T>,
): Promise<T | 'no esbuild'> {
  const esbuild = await import('esbuild');
  users += 1;
  try {
    return await use(esbuild);
  } catch (thrown) {
    if (/The package "@esbuild\/.+" could not be found/.test(messageOf(thrown))) return 'no esbuild';
    throw thrown;
  } finally {
    users -= 1;
    if (users === 0) await esbuild.stop();
  }
}
