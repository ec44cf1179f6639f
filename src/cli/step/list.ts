import type { GlobalOptions } from '../options.ts';
import { print, printJson } from '../show/output.ts';
import { painted, signOf, spanOf, table } from '../show/text.ts';
import { type Step, snakeKeys } from '../show/views.ts';
import { withTasker } from '../with-tasker.ts';

/** `tasker step list`: the steps of a task in the order of its template. */
export async function stepList(task: string, options: GlobalOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const steps = await tasker.getSteps(task);
    if (options.json) return printJson(steps.map(snakeKeys));
    print(table(['  step', 'state', 'handler', 'attempts', 'took', 'worker', 'error'], steps.map(rowOf)));
  });
}

function rowOf(step: Step): string[] {
  const ms = step.results?.metadata.execution_time_ms;
  return [
    `${signOf(step.currentState)} ${step.name}`,
    painted(step.currentState),
    step.callable,
    `${step.attempts}/${step.maxAttempts}`,
    typeof ms === 'number' ? spanOf(ms) : '',
    step.worker ?? '',
    step.results?.error?.message.split('\n')[0] ?? '',
  ];
}
