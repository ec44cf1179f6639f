import type { Task } from '../../app/json/views.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { commandOf } from './command-of.ts';
import { counted } from './text.ts';

/** A step, with the type of its last error. */
export interface FailedStep {
  templateStepName: string;
  state: string;
  errorType: string | null;
}

/** Maximum number of failures to show. A batch may have many. */
const MOST = 3;

/**
 * Returns, for each kind of failure in a task, its error type and the command that lists the tasks that failed in the
 * same way. Empty if no step failed.
 */
export function siblingLines(
  { namespace, name, completedAt }: Pick<Task, 'namespace' | 'name' | 'completedAt'>,
  steps: readonly FailedStep[],
): string[] {
  const kinds = new Map<string, string[]>();
  for (const { templateStepName: step, state, errorType } of steps) {
    if (state !== 'error' && state !== 'waiting_for_retry') continue;
    const filter = {
      namespace,
      name,
      ...(completedAt === null && { open: true }),
      step,
      stepState: state,
      ...(errorType !== null && { errorType }),
    };
    const command = commandOf('task list', filter, { acts: false });
    kinds.set(command, [`  ${step}: ${pc.red(errorType ?? 'no error type')}`, `      ${pc.cyan(command)}`]);
  }
  if (kinds.size === 0) return [];
  const more = kinds.size > MOST ? [pc.dim(`  and ${counted(kinds.size - MOST, 'more kind')} of failure`)] : [];
  return ['tasks that failed in the same way', ...[...kinds.values()].slice(0, MOST).flat(), ...more];
}
