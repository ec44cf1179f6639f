/*
 * The first import of every entry point, for its effect. Without it, an old Node would fail in a dependency or at the
 * first call of a missing function, with a message that does not name the reason.
 */
import { oldNodeProblem } from './node-version.ts';

const problem = oldNodeProblem();
if (problem !== undefined) {
  const error = new Error(problem);
  error.stack = `Error: ${problem}`; // the stack of this check does not help users
  throw error;
}
