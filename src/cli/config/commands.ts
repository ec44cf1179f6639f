import { type Command, Option } from 'commander';
import { lazily } from '../options.ts';

/** `tasker config …` */
export function addConfigCommands(program: Command): void {
  const config = program.command('config').description('show, explain, check and merge the configuration');
  config
    .command('show')
    .description('show the effective value of each key and its source; secrets are hidden')
    .action(lazily(async () => (await import('./show.ts')).configShow));
  config
    .command('validate [path]')
    .description(
      'report every problem in a file, or in the layers of a folder, with file and line; exits 1 if there is an error',
    )
    .option('--strict', 'treat warnings (unknown keys, keys without effect) as errors')
    .action(lazily(async () => (await import('./validate.ts')).configValidate));
  config
    .command('explain [key]')
    .description('explain a key: its purpose, allowed values, default, and current value; without a key, list all')
    .action(lazily(async () => (await import('./explain.ts')).configExplain));
  config
    .command('generate')
    .description('merge the layers of a folder into one file; references to variables are kept')
    .addOption(
      new Option('-c, --context <context>', 'contents of the file')
        .choices(['complete', 'common', 'orchestration', 'worker'])
        .default('complete'),
    )
    .option('-e, --environment <name>', 'layer to merge over base/; default: TASKER_ENV, otherwise development')
    .option('-s, --source <folder>', 'folder that contains base/ and environments/', 'config/tasker')
    .option('-o, --output <file>', 'output file; default: standard output')
    .action(lazily(async () => (await import('./generate.ts')).configGenerate));
}
