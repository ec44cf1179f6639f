import { createInterface } from 'node:readline/promises';
import { TaskerError } from '../errors.ts';

/** Asks the person at the terminal; anything but yes is a no. @throws TaskerError `bad_request` where nobody can be asked */
export async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new TaskerError('bad_request', `${question} Nobody can be asked here: say --yes`);
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and the end of input are answers, too.
  const gone = new AbortController();
  asking.once('SIGINT', () => gone.abort());
  asking.once('close', () => gone.abort());
  try {
    return /^y(es)?$/i.test((await asking.question(`${question} [y/N] `, { signal: gone.signal })).trim());
  } catch (error) {
    if (gone.signal.aborted) return false;
    throw error;
  } finally {
    asking.close();
  }
}
