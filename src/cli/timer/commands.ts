import type { Command } from 'commander';
import { addOperator } from '../operator.ts';
import { duration, lazily } from '../options.ts';

/** `tasker timer …` */
export function addTimerCommands(program: Command): void {
  const timer = program.command('timer').description('fire or move the timers that steps wait for');
  addOperator(timer.command('fire <task> <step>'))
    .description('complete a timer step now')
    .action(lazily(async () => (await import('./fire-or-move.ts')).timerFire));
  addOperator(timer.command('move <task> <step> [until]'))
    .description('change the time of a timer step: ISO 8601 with a zone, such as 2027-01-15T09:00:00+01:00')
    .option('--in <duration>', 'from now, such as 90s, 15m, 2h, 7d or P1DT12H', duration)
    .action(lazily(async () => (await import('./fire-or-move.ts')).timerMove));
}
