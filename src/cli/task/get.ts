import { snakeKeys, type Task, taskJson } from '../../app/json/views.ts';
import type { DeadLetter, TaskFamily } from '../../app/operator-types.ts';
import { pc } from '../../logging/terminal/colors.ts';
import type { GlobalOptions } from '../options.ts';
import { describePause } from '../pause/describe.ts';
import { ifAllowed } from '../remote/if-allowed.ts';
import { print, printJson } from '../show/output.ts';
import { siblingLines } from '../show/siblings.ts';
import { parentsOf, stepTree } from '../show/step-tree.ts';
import { counted, fields, painted, spanOf, timeLeft } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker task get`: shows a task and its steps. */
export async function taskGet(uuid: string, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const [task, steps, copies, family, dead] = await Promise.all([
      tasker.getTask(uuid),
      tasker.getSteps(uuid),
      ifAllowed(tasker.getCopies(uuid)),
      ifAllowed(tasker.getChildTasks(uuid)),
      ifAllowed(tasker.deadLetters.list({ task: uuid, status: 'pending' }, { limit: 1 })),
    ]);
    if (options.json) return printJson({ ...taskJson({ task, steps }), copies, ...(family && familyJson(family)) });
    print(describeTask(task, { copies: copies ?? [], family, entry: dead?.entries[0] }));
    print('');
    print(stepTree(steps, await parentsOf(tasker, task), { now: Date.now() }).join('\n'));
    const failed = steps.map(({ templateStepName, currentState, results }) => ({
      templateStepName,
      state: currentState,
      errorType: results?.error?.error_type ?? null,
    }));
    const siblings = siblingLines(task, failed);
    if (siblings.length > 0) print(`\n${siblings.join('\n')}`);
  });
}

function describeTask(
  task: Task,
  {
    copies,
    family,
    entry,
  }: { copies: readonly string[]; family: TaskFamily | undefined; entry: ShownDeadLetter | undefined },
): string {
  const end = task.completedAt === null ? Date.now() : Date.parse(task.completedAt);
  const took = spanOf(end - Date.parse(task.createdAt));
  return fields([
    ['task', task.taskUuid],
    ['template', `${task.namespace}/${task.name}@${task.version}`],
    ['status', `${painted(task.status)} ${pc.dim(`${task.completedSteps} of ${task.totalSteps} steps done`)}`],
    [
      'created',
      `${task.createdAt}${task.initiator ? ` by ${task.initiator}` : ''}${task.createdWith ? ` with ${task.createdWith}` : ''}`,
    ],
    ['starts', task.startsAt == null ? null : `${task.startsAt}${startsIn(task.startsAt)}`],
    ['ended', task.completedAt === null ? null : `${task.completedAt}, after ${took}`],
    ['rerun', !task.reruns ? null : `${counted(task.reruns, 'time')}, last at ${task.rerunAt}`],
    ...(task.paused ?? []).map((pause) => ['paused', pc.yellow(describePause(pause, Date.now()))] as const),
    ['stale', staleness(task)],
    ['dead letter', entry ? pc.yellow(deadLetter(entry)) : null],
    ['priority', task.priority === 0 ? null : String(task.priority)],
    ['reason', task.reason],
    ['parent', family?.parent && `${family.parent.taskUuid}, step ${family.parent.step} of ${family.parent.name}`],
    ['child tasks', family && family.children.length > 0 ? childrenText(family) : null],
    ['copy of', task.copyOf],
    ['copies', copies.length === 0 ? null : listOf(copies)],
    ['tags', task.tags.length > 0 ? task.tags.join(', ') : null],
    ['context', JSON.stringify(task.context)],
    ['output', task.output ? JSON.stringify(task.output) : null],
    ['no output', task.outputError === undefined ? null : pc.yellow(task.outputError)],
  ]);
}

function startsIn(startsAt: string): string {
  const ms = Date.parse(startsAt) - Date.now();
  return ms > 0 ? `, in ${timeLeft(ms)}` : '';
}

function listOf(copies: readonly string[]): string {
  const shown = copies.slice(0, 3).join(', ');
  return copies.length > 3 ? `${shown} and ${copies.length > 99 ? 'many' : copies.length - 3} more` : shown;
}

function familyJson({ parent, rootTaskUuid, children, openChildren }: TaskFamily) {
  return {
    parent: parent && snakeKeys(parent),
    root_task_uuid: rootTaskUuid,
    children: children.map(snakeKeys),
    open_children: openChildren,
  };
}

/** Maximum number of children that are listed. */
const MOST_CHILDREN = 10;

function childrenText({ children, openChildren }: TaskFamily): string {
  const lines = children.slice(0, MOST_CHILDREN).map(({ taskUuid, step, name, status, key }) => {
    return `${taskUuid} ${painted(status)} ${name}, for ${step}${key === null ? '' : ` ${key}`}`;
  });
  const more =
    children.length > MOST_CHILDREN ? [`${children.length > 99 ? 'many' : children.length - MOST_CHILDREN} more`] : [];
  return [`${openChildren} open`, ...lines, ...more].join('\n');
}

type ShownDeadLetter = Pick<DeadLetter, 'dlqReason' | 'dlqTimestamp' | 'assignee'>;

function deadLetter({ dlqReason, dlqTimestamp, assignee }: ShownDeadLetter): string {
  return `${dlqReason}, since ${dlqTimestamp}, ${assignee === null ? 'no assignee' : `assigned to ${assignee}`}`;
}

function staleness({ stale }: Task): string | null {
  return stale && `exceeds ${stale.rule} (${stale.minutes}), counted from ${stale.since}`;
}
