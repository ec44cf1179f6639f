import type { Command } from 'commander';
import { lazily } from '../options.ts';

/** `tasker profile …` */
export function addProfileCommands(program: Command): void {
  const profile = program.command('profile').description('save servers and their credentials, for use with --profile');
  profile
    .command('list')
    .description('list the profiles, without their keys')
    .action(lazily(async () => (await import('./profile.ts')).profileList));
  profile
    .command('set <name>')
    .description('save the server of --server and its credential as a profile; replaces an existing profile')
    .option('--api-key <source>', 'API key: @file reads a file, - reads standard input; default: TASKER_API_KEY')
    .option(
      '--token <source>',
      'JSON Web Token: @file reads a file, - reads standard input; default: TASKER_AUTH_TOKEN',
    )
    .action(lazily(async () => (await import('./profile.ts')).profileSet));
  profile
    .command('remove <name>')
    .description('remove a profile and its key')
    .action(lazily(async () => (await import('./profile.ts')).profileRemove));
}
