/** The objects of a tasker that have the verbs of a noun under the same names. */
export const GROUPS = ['approvals', 'schedules', 'deadLetters', 'events'] as const;

/**
 * Returns the names that the method of a tasker for a verb may have. `approvals.get` is the verb `get` of approvals,
 * `getWorker` the verb `get` of workers, `listWorkers` their verb `list`, and `getTaskLogs` the verb `logs` of tasks.
 */
export function methodNames(noun: string, verb: string): string[] {
  if (GROUPS.some((group) => group === noun)) return [`${noun}.${verb}`];
  const nouns = capital(noun);
  const one = nouns.replace(/s$/, '');
  return [`${verb}${verb === 'list' ? nouns : one}`, `get${one}${capital(verb)}`];
}

const capital = (name: string) => `${name[0]!.toUpperCase()}${name.slice(1)}`;
