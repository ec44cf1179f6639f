import type { Tasker } from '../../app/tasker.ts';
import { note } from './output.ts';

/** Tells the user if no running worker serves the namespace of a task that has work to do. */
export async function noteMissingWorker(tasker: Tasker, namespace: string): Promise<void> {
  const workers = await tasker.listWorkers({ namespace });
  if (workers.some(({ endedAt }) => endedAt === null)) return;
  note(`no running worker serves namespace ${namespace}; start one: \`npx tasker worker\`, or \`npx tasker dev\``);
}
