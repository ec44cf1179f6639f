import type { Command } from 'commander';
import { lazily } from '../options.ts';

/** `tasker template …` */
export function addTemplateCommands(program: Command): void {
  const template = program.command('template').description('check and look at templates');
  template
    .command('validate [paths...]')
    .description(
      'check template files, all problems with file and line; with --handlers, also that every handler is there. Exits 1 when there is an error',
    )
    .option('--strict', 'warnings count as errors')
    .action(lazily(async () => (await import('./validate.ts')).templateValidate));
  template
    .command('list')
    .description('templates of the project, and those that are registered')
    .action(lazily(async () => (await import('./list.ts')).templateList));
  template
    .command('show <template>')
    .description('a template by its file or its name, namespace/name@version')
    .action(lazily(async () => (await import('./show.ts')).templateShow));
  template
    .command('graph <template>')
    .description('its steps as a tree, or for mermaid')
    .option('--mermaid', 'a mermaid flowchart')
    .action(lazily(async () => (await import('./graph.ts')).templateGraph));
}
