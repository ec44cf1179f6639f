import { CommanderError } from 'commander';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { makeProgram } from './program.ts';
import { reportError } from './report-error.ts';
import { quietWhenReaderLeaves } from './show/output.ts';
import { inRun, type RunIo } from './this-run.ts';

/**
 * Runs the command line and returns its exit code. Several commands can run in one process at the same time, each with
 * its own `io`. Parts of `io` that are not given are those of the process.
 */
export function main(argv: readonly string[], io?: Partial<RunIo>): Promise<number> {
  return inRun(io, async (run) => {
    if (run.ownsProcess) quietWhenReaderLeaves();
    const program = await makeProgram(argv.slice(2));
    try {
      await program.parseAsync(argv);
    } catch (error) {
      // Commander has already reported the problem. It also throws after printing help or the version.
      if (error instanceof CommanderError) run.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
      else {
        reportError(error, { verbose: program.opts<{ verbose?: boolean }>().verbose ?? false });
        run.exitCode = exitCodeOf(error);
      }
    }
    return run.exitCode;
  });
}
