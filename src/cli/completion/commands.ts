// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the placeholders are those of a shell
import { Argument, type Command } from 'commander';
import { SHELLS, type Shell } from './shells.ts';

/** `tasker completion` and the command that its scripts call. */
export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .description('print a script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText(
      'after',
      '\nbash:  tasker completion bash >> ~/.bashrc\nzsh:   tasker completion zsh > "${fpath[1]}/_tasker"\nfish:  tasker completion fish > ~/.config/fish/completions/tasker.fish',
    )
    .action(async (shell: Shell) => (await import('./completion.ts')).completion(program, shell));
}
