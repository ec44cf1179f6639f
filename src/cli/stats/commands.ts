import { type Command, Option } from 'commander';
import { duration, lazily, moment, wholeNumber } from '../options.ts';

/** `tasker stats` */
export function addStatsCommands(program: Command): void {
  program
    .command('stats [template]')
    .description(
      'show statistics of all templates or of one (namespace/name@version): success, durations and queueing times of tasks and steps, and the steps that take the most time',
    )
    .option('-n, --namespace <namespace>', 'only templates of this namespace')
    .option('--since <time>', 'from this time, or this long ago: 15m, 24h, 7d (default: 1h)', timeText)
    .option('--until <time>', 'up to this time, or this long ago (default: now)', timeText)
    .option(
      '--compare [age]',
      'what changed: show the window beside the one this much earlier, such as 7d (default: 24h, or the length of the window)',
      duration,
    )
    .option('--step <step>', 'only steps of this name')
    .addOption(
      new Option('--sort <by>', 'value to sort by').choices(['time', 'duration', 'queueing', 'failures', 'count']),
    )
    .option(
      '--limit <count>',
      'maximum number of templates and of steps (default: 10, with --json 100)',
      wholeNumber({ least: 1, most: 1000 }),
    )
    .action(lazily(async () => (await import('./stats.ts')).stats));
}

/** Checks a time. An age is counted from the time of the database. */
function timeText(text: string): string {
  moment(text);
  return text.trim();
}
