import type { Command } from 'commander';
import { lazily } from '../options.ts';
import { addPausing } from '../pause/commands.ts';

/** `tasker template …` */
export function addTemplateCommands(program: Command): void {
  const template = program.command('template').description('check, inspect, pause and resume templates');
  template
    .command('validate [paths...]')
    .description(
      'check template files and report each problem with file and line; with --handlers, also check that every handler exists. Exits 1 if there is an error',
    )
    .option('--strict', 'treat warnings as errors')
    .action(lazily(async () => (await import('./validate.ts')).templateValidate));
  template
    .command('list')
    .description('list the templates of the project and those in the database')
    .action(lazily(async () => (await import('./list.ts')).templateList));
  template
    .command('show <template>')
    .description('show a template, given its file or its name (namespace/name@version)')
    .action(lazily(async () => (await import('./show.ts')).templateShow));
  template
    .command('graph <template>')
    .description('show the steps of a template as a tree or a Mermaid flowchart')
    .option('--mermaid', 'print a Mermaid flowchart')
    .action(lazily(async () => (await import('./graph.ts')).templateGraph));
  addPausing(template, 'template');
}
