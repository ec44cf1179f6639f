import type { Command } from 'commander';
import { lazily } from '../options.ts';

/** `tasker generate …` */
export function addGenerateCommands(program: Command): void {
  const generate = program.command('generate').description('write what follows from the templates');
  generate
    .command('types [paths...]')
    .description('TypeScript types for the payloads of events, and for the contexts of tasks')
    .option('-o, --out <file>', 'where to; default: standard output')
    .option('--check', 'write nothing; exit 1 when the file is not what would be written')
    .action(lazily(async () => (await import('./types.ts')).generateTypes));
  generate
    .command('asyncapi [paths...]')
    .description('an AsyncAPI 3 document of the events that the steps publish')
    .option('-o, --out <file>', 'where to: JSON if its name ends so, else YAML; default: standard output')
    .option('--check', 'write nothing; exit 1 when the file is not what would be written')
    .option('--title <text>', 'default: the name in package.json')
    .option('--api-version <version>', "the document's own; default: the version in package.json")
    .option('--description <text>', 'what the events are about')
    .action(lazily(async () => (await import('./asyncapi.ts')).generateAsyncApi));
}
