import { type Command, Option } from 'commander';
import { lazily } from '../options.ts';

/** `tasker config …` */
export function addConfigCommands(program: Command): void {
  const config = program
    .command('config')
    .description('the configuration: what it is, where it comes from, whether it is right');
  config
    .command('show')
    .description('what counts here and where each value comes from; secrets are hidden')
    .action(lazily(async () => (await import('./show.ts')).configShow));
  config
    .command('validate [path]')
    .description(
      'say all that is wrong in a file, or in the layers of a folder, with file and line; exits 1 if anything is',
    )
    .option('--strict', 'unknown keys and keys without effect are wrong too')
    .action(lazily(async () => (await import('./validate.ts')).configValidate));
  config
    .command('explain [key]')
    .description(
      'what a key does, what it may be, its default, and where its value comes from here; without one: all keys',
    )
    .action(lazily(async () => (await import('./explain.ts')).configExplain));
  config
    .command('generate')
    .description('make one file of the layers of a folder, variables left as they are')
    .addOption(
      new Option('-c, --context <context>', 'what the file is for')
        .choices(['complete', 'common', 'orchestration', 'worker'])
        .default('complete'),
    )
    .option('-e, --environment <name>', 'which layer lies over base/; default: TASKER_ENV, else development')
    .option('-s, --source <folder>', 'the folder with base/ and environments/', 'config/tasker')
    .option('-o, --output <file>', 'where to; default: standard output')
    .action(lazily(async () => (await import('./generate.ts')).configGenerate));
}
