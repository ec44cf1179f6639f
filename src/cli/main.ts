import { CommanderError } from 'commander';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { makeProgram } from './program.ts';
import { reportError } from './report-error.ts';
import { quietWhenReaderLeaves } from './show/output.ts';

/** Runs the command line and sets `process.exitCode`. The process then exits on its own. */
export async function main(argv: readonly string[]): Promise<void> {
  quietWhenReaderLeaves();
  const program = await makeProgram(argv.slice(2));
  try {
    await program.parseAsync(argv);
  } catch (error) {
    // Commander has already reported the problem. It also throws after printing help or the version.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    else {
      reportError(error, { verbose: program.opts<{ verbose?: boolean }>().verbose ?? false });
      process.exitCode = exitCodeOf(error);
    }
  }
}
