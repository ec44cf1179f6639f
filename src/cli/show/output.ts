/** Writes a result to standard output. Nothing else goes there, so that the output can be piped. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Writes a result as JSON. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Writes a message for the user to standard error. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Exits quietly if the reader of a pipe has closed it, as in `| head`. */
export function quietWhenReaderLeaves(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit(process.exitCode ?? 0);
    });
  }
}
