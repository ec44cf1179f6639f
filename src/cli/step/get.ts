import pc from 'picocolors';
import type { GlobalOptions } from '../options.ts';
import { print, printJson } from '../show/output.ts';
import { fields, painted, spanOf } from '../show/text.ts';
import { type Step, snakeKeys } from '../show/views.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker step get`: a step, its result and its last error. */
export async function stepGet(task: string, step: string, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const found = await tasker.getStep(task, step);
    if (options.json) return printJson(snakeKeys(found));
    print(describeStep(found));
  });
}

function describeStep(step: Step): string {
  const { results } = step;
  const ms = results?.metadata.execution_time_ms;
  const told = fields([
    ['step', step.name],
    ['id', step.stepUuid],
    ['state', painted(step.currentState)],
    ['handler', step.callable],
    ['attempts', `${step.attempts} of ${step.maxAttempts}`],
    ['parents', step.totalParents > 0 ? `${step.completedParents} of ${step.totalParents} done` : null],
    ['started', step.lastAttemptedAt],
    ['completed', step.completedAt],
    ['took', typeof ms === 'number' ? spanOf(ms) : null],
    ['tried again', step.nextRetryAt],
    ['worker', step.worker],
  ]);
  const parts = [told];
  if (results?.success) parts.push(`${pc.dim('result')}\n${JSON.stringify(results.result, null, 2)}`);
  if (results?.error) {
    const { error_type, message, backtrace } = results.error;
    parts.push(
      `${pc.red('error')} ${error_type ? `${error_type}: ` : ''}${message}\n${pc.dim(backtrace.join('\n'))}`.trimEnd(),
    );
  }
  if (step.eventProblems.length > 0) {
    const lines = step.eventProblems.map(({ event, message }) => `${event}: ${message}`);
    parts.push(`${pc.yellow('events that were not published')}\n${lines.join('\n')}`);
  }
  return parts.join('\n\n');
}
