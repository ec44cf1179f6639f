import type { Tasker } from '../../app/tasker.ts';
import { ifAllowed } from '../remote/if-allowed.ts';
import { note } from './output.ts';

/** Informs the user if no running worker serves the namespace of a task that has work to do. */
export async function noteMissingWorker(tasker: Tasker, namespace: string): Promise<void> {
  const workers = await ifAllowed(tasker.listWorkers({ namespace }));
  if (!workers || workers.some(({ endedAt }) => endedAt === null)) return;
  note(`no running worker serves namespace ${namespace}; start one: \`npx tasker worker\`, or \`npx tasker-core dev\``);
}
