import { oneLine, shownText, withoutColors } from '../../logging/terminal/shown-text.ts';
import { type Output, thisRun } from '../this-run.ts';

/**
 * Writes all output of the command line except that of a {@link LiveScreen}, so that no command can pass control characters
 * of stored text to the terminal. test/architecture.test.ts enforces it.
 */
function write(stream: Output, text: string): void {
  // Whether there are colors was decided for the terminal of the process.
  stream.write(thisRun().ownsProcess ? shownText(text) : withoutColors(text));
}

/** Writes a result to standard output. Nothing else goes there, so that the output can be piped. */
export function print(text: string): void {
  write(thisRun().stdout, `${text}\n`);
}

/** Writes a result as JSON. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Writes a message for the user to standard error. */
export function note(text: string): void {
  write(thisRun().stderr, `${text}\n`);
}

/** Replaces the current line of the terminal. Writes nothing if standard error is not a terminal. */
export function redrawLine(text: string): void {
  if (!thisRun().stderr.isTTY) return;
  thisRun().stderr.write('\r\u001b[K');
  write(thisRun().stderr, oneLine(text));
}

/** Where the parser of arguments writes help, and errors of usage. */
export const parserOutput = {
  getOutHelpWidth: () => thisRun().stdout.columns ?? 80,
  getErrHelpWidth: () => thisRun().stderr.columns ?? 80,
  writeOut: (text: string) => write(thisRun().stdout, text),
  writeErr: (text: string) => write(thisRun().stderr, text),
};

/** Exits quietly if the reader of a pipe has closed it, as in `| head`. */
export function quietWhenReaderLeaves(): void {
  const run = thisRun();
  for (const stream of [run.stdout, run.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit(run.exitCode);
    });
  }
}
