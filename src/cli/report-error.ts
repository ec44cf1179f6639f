import { messageOf, TaskerError } from '../errors.ts';
import { pc } from '../logging/terminal/colors.ts';
import { note } from './show/output.ts';

/** Prints an error to standard error. With `verbose`, also prints its code, its stack and the stacks of its causes. */
export function reportError(error: unknown, { verbose = false }: { verbose?: boolean } = {}): void {
  // Indented, so that text of users in the message cannot look like another line of the output.
  note(`${pc.red('error:')} ${messageOf(error).replaceAll('\n', '\n  ')}`);
  if (verbose && error instanceof Error) {
    if (error instanceof TaskerError) note(pc.dim(`code: ${error.code}`));
    for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
      note(pc.dim(depth === 0 ? String(cause.stack) : `caused by: ${String(cause.stack)}`));
    }
  } else if (!(error instanceof TaskerError)) note(pc.dim('unexpected error; --verbose shows its stack'));
}
