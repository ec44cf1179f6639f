/*
 * The first import of every entry point, with an effect: without it, an old Node would fail in a dependency, or at
 * the first call of a missing function, with a message that does not name the reason.
 */
import { oldNodeProblem } from './node-version.ts';

const problem = oldNodeProblem();
if (problem !== undefined) {
  const error = new Error(problem);
  error.stack = `Error: ${problem}`; // the place of the check does not help a user
  throw error;
}
