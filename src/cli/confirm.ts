import { createInterface } from 'node:readline/promises';
import { TaskerError } from '../errors.ts';
import { shownText } from '../logging/terminal/shown-text.ts';
import { thisRun } from './this-run.ts';

/**
 * Asks a question at the terminal. Treats any answer other than yes as no.
 * @throws TaskerError `bad_request` if stdin is not a terminal
 */
export async function confirmed(question: string): Promise<boolean> {
  if (!thisRun().stdin.isTTY)
    throw new TaskerError(
      'bad_request',
      `${question} Standard input is not a terminal, so the command cannot ask; pass --yes to confirm`,
    );
  const asking = createInterface({ input: thisRun().stdin, output: thisRun().stderr });
  // Ctrl-C and the end of input mean no.
  const gone = new AbortController();
  asking.once('SIGINT', () => gone.abort());
  asking.once('close', () => gone.abort());
  try {
    return /^y(es)?$/i.test((await asking.question(`${shownText(question)} [y/N] `, { signal: gone.signal })).trim());
  } catch (error) {
    if (gone.signal.aborted) return false;
    throw error;
  } finally {
    asking.close();
  }
}
