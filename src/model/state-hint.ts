import { nearNames } from './near-names.ts';

const FAILED: ReadonlySet<string> = new Set(['failed', 'failure', 'fail', 'failing']);

/** Returns the end of a message about an unknown state of a task or a step: the state it may mean, or all of them. */
export function stateHint(word: string, states: readonly string[]): string {
  if (FAILED.has(word.toLowerCase())) {
    return states.includes('blocked_by_failures')
      ? 'did you mean blocked_by_failures (a step failed, an operator must act) or error (the task ended)?'
      : 'did you mean error?';
  }
  const near = nearNames(word, states, 1)[0];
  return near === undefined ? `the states are ${states.join(', ')}` : `did you mean ${near}?`;
}
