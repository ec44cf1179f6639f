import type { Command } from 'commander';
import { addOperator } from '../operator.ts';
import { lazily } from '../options.ts';
import { addPausing } from '../pause/commands.ts';

/** `tasker template …` */
export function addTemplateCommands(program: Command): void {
  const template = program.command('template').description('check, inspect, activate, pause and resume templates');
  template
    .command('validate [paths...]')
    .description(
      'check template files and report each problem with file and line; with --handlers, also check that every handler exists. Exits 1 if there is an error',
    )
    .option('--strict', 'treat warnings as errors')
    .option('--findings', 'print findings with the codes of the original system as JSON, one object for each file')
    .action(lazily(async () => (await import('./validate.ts')).templateValidate));
  template
    .command('list')
    .description('list the templates of the project and of the database')
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
  template
    .command('inspect <template>')
    .description('show the steps of a template in the order in which they run, and what their schemas declare')
    .action(lazily(async () => (await import('./inspect.ts')).templateInspect));
  template
    .command('compare <template> <producer> <consumer>')
    .description(
      'compare the result_schema of two steps. Exits 1 if results of the first step do not satisfy the second',
    )
    .action(lazily(async () => (await import('./inspect.ts')).templateCompare));
  template
    .command('diff <before> <after>')
    .description('show the changes between two versions of a template, and which of them are breaking')
    .option('--check', 'exit 1 if a change is breaking')
    .action(lazily(async () => (await import('./inspect.ts')).templateDiff));
  template
    .command('eval <template>')
    .description(
      "evaluate the expressions of a step, or of the template's output, with given values. Exits 1 if one of them fails",
    )
    .option('--step <name>', 'the step whose condition, inputs and message are evaluated; default: the output')
    .option('--expression <text>', 'evaluate this expression instead, where the step or the output is')
    .option('--context <json>', "the task's context: JSON, @file, or - for standard input", '{}')
    .option('--results <json>', 'the results of steps by their names: JSON, @file, or -', '{}')
    .option('--errors <json>', 'the failures of steps by their names: JSON, @file, or -', '{}')
    .action(lazily(async () => (await import('./eval.ts')).templateEval));
  template
    .command('export <file>')
    .description(
      'write the template of a workflow that a TypeScript or JavaScript file exports, as YAML. It names the handlers, and does not have their code',
    )
    .option('--name <name>', 'the workflow (namespace/name@version), if the file exports several')
    .option('-o, --out <file>', 'output file; default: standard output')
    .option('--check', 'write nothing; exit 1 if the file is out of date')
    .action(lazily(async () => (await import('./export.ts')).templateExport));
  addOperator(template.command('activate <template>'))
    .description(
      'make a version of a template its active version, which tasks without a version use, until the next activation (namespace/name@version; @latest: the highest version, including later ones)',
    )
    .action(lazily(async () => (await import('./activate.ts')).templateActivate));
  addPausing(template, 'template');
}
