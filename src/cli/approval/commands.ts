import type { Command } from 'commander';
import { collect, lazily, wholeNumber } from '../options.ts';

const PAGE = wholeNumber({ least: 1, most: 1000 });

/** `tasker approval …` */
export function addApprovalCommands(program: Command): void {
  const approval = program.command('approval').description('the decisions of people that tasks wait for');
  approval
    .command('list')
    .description('list the open approvals, the oldest first')
    .option('--assignee <name>', 'only approvals that this user or role may vote on')
    .option('-n, --namespace <namespace>', 'only of tasks of this namespace')
    .option('--name <name>', 'only of tasks of this template')
    .option('--task <uuid>', 'all approvals of this task, ended ones too')
    .option('-l, --limit <number>', 'maximum number of approvals', PAGE, 20)
    .option('--cursor <cursor>', 'next page: the cursor that the page before printed')
    .action(lazily(async () => (await import('./list.ts')).approvalList));
  approval
    .command('show <task> <step>')
    .alias('get')
    .description('show an approval: who may vote, the votes, and the limit')
    .action(lazily(async () => (await import('./show.ts')).approvalShow));
  for (const [verb, does] of [
    ['approve', 'vote for it; the vote that reaches the quorum decides'],
    ['reject', 'vote against it; one rejection decides, unless the template wants more'],
  ] as const) {
    approval
      .command(`${verb} <task> <step>`)
      .description(does)
      .option('-b, --by <name>', 'who votes; default: the user of this system')
      .option('--role <name>', 'a role of this person; may be repeated', collect)
      .option('-m, --comment <text>', 'comment, part of the result')
      .option('--form <json>', 'the filled form as JSON, @file, or - for standard input')
      .action(lazily(async () => (await import('./vote.ts'))[verb]));
  }
  approval
    .command('reassign <task> <step>')
    .description('change who may vote; votes of others are dropped')
    .option('--to <name>', 'user or role that may vote; may be repeated', collect)
    .option('--everyone', 'everyone may vote')
    .option('-r, --reason <text>', 'reason, kept in the audit')
    .option('-b, --by <name>', 'name of the operator; default: the user of this system')
    .action(lazily(async () => (await import('./vote.ts')).approvalReassign));
}
