import { oneLine, shownText } from '../../logging/terminal/shown-text.ts';

/**
 * Writes all output of the command line except that of a {@link LiveScreen}, so that no command can pass control characters
 * of stored text to the terminal. test/architecture.test.ts enforces it.
 */
function write(stream: NodeJS.WriteStream, text: string): void {
  stream.write(shownText(text));
}

/** Writes a result to standard output. Nothing else goes there, so that the output can be piped. */
export function print(text: string): void {
  write(process.stdout, `${text}\n`);
}

/** Writes a result as JSON. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Writes a message for the user to standard error. */
export function note(text: string): void {
  write(process.stderr, `${text}\n`);
}

/** Replaces the current line of the terminal. Writes nothing if standard error is not a terminal. */
export function redrawLine(text: string): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write('\r\u001b[K');
  write(process.stderr, oneLine(text));
}

/** Where the parser of arguments writes help, and errors of usage. */
export const parserOutput = {
  writeOut: (text: string) => write(process.stdout, text),
  writeErr: (text: string) => write(process.stderr, text),
};

/** Exits quietly if the reader of a pipe has closed it, as in `| head`. */
export function quietWhenReaderLeaves(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit(process.exitCode ?? 0);
    });
  }
}
