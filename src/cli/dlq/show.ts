import { snakeKeys } from '../../app/json/views.ts';
import type { DeadLetterDetails } from '../../app/operator-types.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { oneLine } from '../../logging/terminal/shown-text.ts';
import type { GlobalOptions } from '../options.ts';
import { print, printJson } from '../show/output.ts';
import { counted, fields, painted, signOf, spanOf, table } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker dlq show`: shows a dead letter with its snapshot and notes. */
export async function dlqShow(id: string, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const entry = await tasker.deadLetters.get(id);
    if (options.json) return printJson(snakeKeys(entry));
    print(entryText(entry, Date.now()).join('\n'));
  });
}

/** Returns the lines that show a dead letter. */
export function entryText(entry: DeadLetterDetails, now: number): string[] {
  return [
    fieldsOf(entry, now),
    ...notesOf(entry),
    ...stepsOf(entry),
    ...(entry.resolutionStatus === 'pending' ? ['', nextActs(entry)] : []),
  ];
}

function fieldsOf(entry: DeadLetterDetails, now: number): string {
  const { namespaceName, taskName, taskVersion, resolutionStatus, resolvedBy, entriesOfTask } = entry;
  const state = entry.currentState ?? 'deleted';
  const open = resolutionStatus === 'pending';
  const closed = `${resolutionStatus} by ${resolvedBy} at ${entry.resolutionTimestamp}`;
  return fields([
    ['entry', entry.dlqEntryUuid],
    ['task', entry.taskUuid],
    ['template', `${namespaceName}/${taskName}@${taskVersion}`],
    ['reason', entry.dlqReason],
    ['cause', entry.cause],
    ['status', open ? pc.yellow('pending') : closed],
    ['resolution', entry.resolutionNotes],
    ['since', `${entry.dlqTimestamp}, ${spanOf(now - Date.parse(entry.dlqTimestamp))} ago`],
    ['task is in', `${painted(state)}${stateSince(entry)}`],
    ['assignee', entry.assignee ?? (open ? pc.dim('nobody') : null)],
    ['priority', entry.priority === 0 ? null : String(entry.priority)],
    [
      'entries',
      entriesOfTask > 1 ? `${entriesOfTask} of this task; \`npx tasker dlq list --task ${entry.taskUuid}\`` : null,
    ],
    ['metadata', entry.metadata && JSON.stringify(entry.metadata)],
  ]);
}

function stateSince({ hasMovedOn, timeInStateMinutes, originalState, currentState }: DeadLetterDetails): string {
  if (hasMovedOn) return pc.dim(', has moved on: the entry will be closed');
  if (originalState !== currentState) return pc.dim(`, was in ${originalState}`);
  if (timeInStateMinutes === null || timeInStateMinutes < 1) return '';
  return pc.dim(`, no progress for ${spanOf(timeInStateMinutes * 60_000)}`);
}

function notesOf({ notes }: DeadLetterDetails): string[] {
  if (notes.length === 0) return [];
  return [
    '',
    pc.dim('NOTES'),
    ...notes.map(({ at, author, note }) => `${pc.dim(at.slice(0, 19))}Z ${oneLine(`${author}: ${note}`)}`),
  ];
}

function stepsOf({ taskSnapshot: { steps, step_count, snapshot_timestamp } }: DeadLetterDetails): string[] {
  const rows = steps.map((step) => [
    `${signOf(step.state)} ${step.name}`,
    painted(step.state),
    `${step.attempts}/${step.max_attempts}`,
    [step.error_type, step.error].filter((text) => text !== undefined).join(': '),
  ]);
  const more = step_count - steps.length;
  return [
    '',
    pc.dim(`as it was at ${snapshot_timestamp}`),
    ...table(['  step', 'state', 'attempts', 'error'], rows).split('\n'),
    ...(more > 0 ? [pc.dim(`and ${counted(more, 'more step')}`)] : []),
  ];
}

function nextActs({ taskUuid, dlqReason }: DeadLetterDetails): string {
  const acts = [
    ['explain it', `npx tasker task why ${taskUuid}`],
    ['run it again', `npx tasker dlq redrive ${taskUuid} --reason …`],
    ['close it', `npx tasker dlq resolve ${taskUuid} --notes …`],
  ];
  if (dlqReason === 'worker_unavailable') acts[1] = ['see its queue', 'npx tasker queue'];
  return fields(acts as [string, string][]);
}
