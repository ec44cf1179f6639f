import type { Command } from 'commander';
import { lazily } from '../options.ts';
import { addPausing } from '../pause/commands.ts';

/** `tasker namespace …` */
export function addNamespaceCommands(program: Command): void {
  const namespace = program.command('namespace').description('list, pause and resume namespaces');
  namespace
    .command('list')
    .description('list the namespaces, with the steps in their queues and whether they are paused')
    .action(lazily(async () => (await import('./list.ts')).namespaceList));
  addPausing(namespace, 'namespace');
}
