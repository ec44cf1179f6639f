import type { Tasker } from '../../app/tasker.ts';
import { ROUTES } from '../../client/contract.ts';
import { type GROUPS, methodNames } from '../../contract/method-names.ts';
import type { CallVerb, VerbName } from './call.ts';

type Group = (typeof GROUPS)[number] | 'bulk';
type MethodName = (keyof Tasker & string) | { [Name in Group]: `${Name}.${keyof Tasker[Name] & string}` }[Group];

/**
 * The methods whose verbs have other names, or that return only one field of the response, whose name follows the verb.
 */
const NAMED: Partial<Record<MethodName, VerbName | `${VerbName} ${string}`>> = {
  analytics: 'installation.stats',
  audit: 'audit.list',
  fireTimer: 'steps.fire',
  getChildTasks: 'tasks.children',
  getCopies: 'tasks.runs copies',
  getEarlierRuns: 'tasks.runs earlierRuns',
  getStepLogs: 'steps.logs logs',
  pauses: 'installation.pauses pauses',
  queues: 'workers.queues queues',
  resolveTask: 'tasks.resolve resolved',
  retryTask: 'tasks.retry steps',
  startTaskNow: 'tasks.startNow',
  status: 'installation.status',
  why: 'tasks.why',
  'bulk.show': 'bulkActs.get',
  'bulk.stop': 'bulkActs.stop stopped',
  'deadLetters.list': 'deadLetters.search',
  'events.dead': 'events.dead dead',
  'events.discard': 'events.discard discarded',
  'events.groups': 'events.groups groups',
  'events.redeliver': 'events.redeliver redelivered',
  'events.replay': 'events.replay replayed',
  'schedules.pause': 'schedules.pause changed',
  'schedules.resume': 'schedules.resume changed',
  'schedules.trigger': 'schedules.trigger taskUuid',
};

/** The methods whose arguments differ from those of the verb with their name. Commands use other methods instead. */
const DIFFERENT: ReadonlySet<string> = new Set<MethodName>([
  'deadLetters.assign',
  'deadLetters.note',
  'deadLetters.resolve',
]);

type Method = (...given: unknown[]) => Promise<unknown>;
type Methods = { [name: string]: Method | Methods };

/** Returns the methods of a tasker that do what a verb of the contract does. Names that do not derive are listed above. */
export function derivedMethods(call: CallVerb): Partial<Tasker> & { [Name in Group]: Partial<Tasker[Name]> } {
  const methods: Methods = {};
  for (const [noun, verbs] of Object.entries(ROUTES)) {
    for (const verb of Object.keys(verbs)) {
      for (const name of methodNames(noun, verb)) {
        if (!DIFFERENT.has(name)) add(methods, name, `${noun}.${verb}`, call);
      }
    }
  }
  for (const [name, verb] of Object.entries(NAMED)) add(methods, name, verb, call);
  return methods as never;
}

function add(methods: Methods, name: string, target: string, call: CallVerb): void {
  const [verb, field] = target.split(' ') as [VerbName, string?];
  const method: Method = async (...given) => {
    const response = await call<Record<string, unknown>>(verb, ...given);
    return field === undefined ? response : response[field];
  };
  const [group, own] = name.split('.') as [string, string?];
  if (own === undefined) methods[name] = method;
  else methods[group] = { ...(methods[group] as Methods | undefined), [own]: method };
}
