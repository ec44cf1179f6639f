import { nearNames } from '../model/near-names.ts';

const FAILED: ReadonlySet<string> = new Set(['failed', 'failure', 'fail', 'failing']);

/** The task state that an unknown word may mean; undefined when no state is similar. */
export function meantState(word: string, states: readonly string[]): string | undefined {
  if (FAILED.has(word.toLowerCase())) {
    return 'blocked_by_failures (a step failed, an operator must act) or error (the task ended)';
  }
  return nearNames(word, states, 1)[0];
}
