import type { Command } from 'commander';
import { lazily } from '../options.ts';

/** `tasker generate …` */
export function addGenerateCommands(program: Command): void {
  const generate = program.command('generate').description('generate files from the templates');
  generate
    .command('types [paths...]')
    .description(
      'generate TypeScript types of event payloads, of the contexts and outputs of tasks, and of the results of steps',
    )
    .option('-o, --out <file>', 'output file; default: standard output')
    .option('--check', 'write nothing; exit 1 if the file is out of date')
    .option('--zod', 'generate zod schemas, with types, of task contexts and step results')
    .action(lazily(async () => (await import('./types.ts')).generateTypes));
  generate
    .command('handler <template>')
    .description('generate handler stubs for a template, given its file or its name (namespace/name@version)')
    .option('-s, --step <step>', 'only the handler of this step')
    .option('-o, --out <file>', 'output file, which must not exist; default: standard output')
    .action(lazily(async () => (await import('./handlers.ts')).generateHandler));
  generate
    .command('scaffold <template>')
    .description('generate zod schemas in models/ and stubs of handlers in handlers/; keeps existing handlers')
    .option('-o, --output-dir <folder>', 'output folder; default: the current folder')
    .option('--check', 'write nothing; exit 1 if the schemas are out of date or the handlers are missing')
    .action(lazily(async () => (await import('./handlers.ts')).generateScaffold));
  generate
    .command('asyncapi [paths...]')
    .description('generate an AsyncAPI 3 document of the events that the steps publish')
    .option('-o, --out <file>', 'output file: JSON if its name ends in .json, otherwise YAML; default: standard output')
    .option('--check', 'write nothing; exit 1 if the file is out of date')
    .option('--title <text>', 'title of the document; default: the name in package.json')
    .option('--api-version <version>', 'version of the document; default: the version in package.json')
    .option('--description <text>', 'description of the document')
    .action(lazily(async () => (await import('./asyncapi.ts')).generateAsyncApi));
}
