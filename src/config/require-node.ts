/*
 * The first import of every entry point, with an effect: an old Node would fail in a dependency, or at the first call of
 * a function that it lacks, with a message that does not name the reason.
 */
import { oldNodeProblem } from './node-version.ts';

const problem = oldNodeProblem();
if (problem !== undefined) {
  const error = new Error(problem);
  error.stack = `Error: ${problem}`; // where the check is tells a user nothing
  throw error;
}
