import type { Command } from 'commander';
import { collect, lazily, wholeNumber } from '../options.ts';

const PAGE = wholeNumber({ least: 1, most: 1000 });

/** `tasker approval …` */
export function addApprovalCommands(program: Command): void {
  const approval = program.command('approval').description('list the approvals that tasks wait for, and vote on them');
  approval
    .command('list')
    .description('list the open approvals, oldest first')
    .option('--assignee <name>', 'only approvals that this user or role may vote on')
    .option('-n, --namespace <namespace>', 'only approvals of tasks in this namespace')
    .option('--name <name>', 'only approvals in tasks of this template')
    .option('--task <uuid>', 'all approvals of this task, including ended approvals')
    .option('-l, --limit <number>', 'maximum number of approvals', PAGE, 20)
    .option('--cursor <cursor>', 'next page: the cursor that the previous page printed')
    .action(lazily(async () => (await import('./list.ts')).approvalList));
  approval
    .command('show <task> <step>')
    .alias('get')
    .description('show an approval with its assignees, votes and timeout')
    .action(lazily(async () => (await import('./show.ts')).approvalShow));
  for (const [verb, does] of [
    ['approve', 'approve a step, or every open approval that a filter finds; the vote that reaches the quorum decides'],
    [
      'reject',
      'reject a step, or every open approval that a filter finds; one rejection decides, unless the template requires more',
    ],
  ] as const) {
    withFilter(approval.command(`${verb} [task] [step]`))
      .description(does)
      .option('-b, --by <name>', 'name of the voter; default: the OS user')
      .option('--role <name>', 'a role of this person; may be repeated', collect)
      .option('-m, --comment <text>', 'comment, stored in the result')
      .option('--form <json>', 'the completed form as JSON, @file, or - for standard input')
      .action(lazily(async () => (await import('./vote.ts'))[verb]));
  }
  withFilter(approval.command('reassign [task] [step]'))
    .description(
      'change the assignees of a step, or of every open approval that a filter finds; votes of people who are no longer assignees are dropped',
    )
    .option('--to <name>', 'user or role that may vote; may be repeated', collect)
    .option('--everyone', 'everyone may vote')
    .option('-r, --reason <text>', 'reason, kept in the audit')
    .option('-b, --by <name>', 'name of the operator; default: the OS user')
    .action(lazily(async () => (await import('./vote.ts')).approvalReassign));
}

/** Adds the options that select open approvals, instead of one that is named by its task and step. */
function withFilter(command: Command): Command {
  return command
    .option('--assignee <name>', 'all open approvals that this user or role may vote on')
    .option('-n, --namespace <namespace>', 'all open approvals of tasks in this namespace')
    .option('--name <name>', 'all open approvals in tasks of this template')
    .option('--task <uuid>', 'all open approvals of this task')
    .option('--dry-run', 'only show which approvals the filter finds')
    .option('-y, --yes', 'do not ask for confirmation');
}
