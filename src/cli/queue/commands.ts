import type { Command } from 'commander';
import { lazily } from '../options.ts';

/** `tasker queue` */
export function addQueueCommands(program: Command): void {
  program
    .command('queue [namespace]')
    .description(
      'show the queue of every namespace: ready steps and their age, retries, workers, and steps without a worker',
    )
    .action(lazily(async () => (await import('./queue.ts')).queue));
}
