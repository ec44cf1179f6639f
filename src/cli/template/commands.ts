import type { Command } from 'commander';
import { optionsOf } from '../options.ts';

/** `tasker template …` */
export function addTemplateCommands(program: Command): void {
  const template = program.command('template').description('check and look at templates');
  template
    .command('validate [paths...]')
    .description(
      'check template files, all problems with file and line; with --handlers, also that every handler is there. Exits 1 when there is an error',
    )
    .option('--strict', 'warnings count as errors')
    .action(async (paths: string[], _options, command: Command) =>
      (await import('./validate.ts')).templateValidate(paths, optionsOf(command)),
    );
  template
    .command('list')
    .description('templates of the project, and those that are registered')
    .action(async (_options, command: Command) => (await import('./list.ts')).templateList(optionsOf(command)));
  template
    .command('show <template>')
    .description('a template by its file or its name, namespace/name@version')
    .action(async (wanted: string, _options, command: Command) =>
      (await import('./show.ts')).templateShow(wanted, optionsOf(command)),
    );
  template
    .command('graph <template>')
    .description('its steps as a tree, or for mermaid')
    .option('--mermaid', 'a mermaid flowchart')
    .action(async (wanted: string, _options, command: Command) =>
      (await import('./graph.ts')).templateGraph(wanted, optionsOf(command)),
    );
}
