import type { Tasker } from '../../app/tasker.ts';
import type { GlobalOptions } from '../options.ts';
import type { Parents } from '../show/step-tree.ts';
import { parentsOf as parentsInDatabase } from '../show/step-tree.ts';
import { withTasker } from '../with-tasker.ts';
import { chosenServer } from './choose-server.ts';
import { type LocalVerbs, type RemoteVerbs, remoteVerbs } from './remote-verbs.ts';

/** Runs a command on the server that its options name, otherwise on a database. It uses the same verbs on both. */
export async function withVerbs<T>(
  options: GlobalOptions,
  opening: { mayMake?: boolean; listen?: boolean },
  use: (verbs: LocalVerbs | RemoteVerbs) => Promise<T>,
): Promise<T> {
  const server = chosenServer(options);
  if (server) return use(remoteVerbs(server));
  return withTasker(options, opening, (tasker) => use(localVerbs(tasker)));
}

/** Returns the verbs of a database. */
export function localVerbs(tasker: Tasker): LocalVerbs {
  return {
    tasker,
    getTask: (uuid) => tasker.getTask(uuid),
    getSteps: (uuid) => tasker.getSteps(uuid),
    cancelTask: (uuid, by) => tasker.cancelTask(uuid, by),
    why: (uuid) => tasker.why(uuid),
    summarizeTasks: (filter, options) => tasker.summarizeTasks(filter, options),
    status: () => tasker.status(),
    watchTask: (uuid, options) => tasker.watchTask(uuid, options),
    createTask: (request, options) => tasker.createTask(request, options),
    listTasks: (filter, page) => tasker.listTasks(filter, page),
    deadLetterOf: async (uuid) =>
      (await tasker.deadLetters.list({ task: uuid, status: 'pending' }, { limit: 1 })).entries[0],
  };
}

/** Returns the parents of each step of a task, by name. */
export function parentsOf(verbs: LocalVerbs | RemoteVerbs, task: { taskUuid: string }): Promise<Parents> {
  return 'tasker' in verbs ? parentsInDatabase(verbs.tasker, task) : verbs.parentsOf(task.taskUuid);
}
