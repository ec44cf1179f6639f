import { type EarlierRun, type HistoryEntry, type Step, snakeKeys } from '../../app/json/views.ts';
import { shortWait } from '../../app/wait-words.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { oneLine } from '../../logging/terminal/shown-text.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { elementsOf } from '../show/step-tree.ts';
import { fields, painted, signOf, spanOf, table } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';
import { type ElementOption, stepOf } from './element.ts';

/** `tasker step list`: lists the steps of a task in the order of its template. */
export async function stepList(task: string, options: GlobalOptions & ElementOption): Promise<void> {
  const { element } = options;
  await withTasker(options, {}, async (tasker) => {
    const all = await tasker.getSteps(task);
    const steps = element === undefined ? all : all.filter((step) => step.element?.number === element);
    if (steps.length === 0 && !options.json) return note(`no step of the task runs for element ${element}`);
    if (options.json) return printJson(steps.map(snakeKeys));
    print(table(['  step', 'state', 'handler', 'attempts', 'took', 'worker', 'error'], steps.map(stepRow)));
  });
}

function stepRow(step: Step): string[] {
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

/** `tasker step get`: shows a step, its result and its last error. */
export async function stepGet(task: string, step: string, options: GlobalOptions & ElementOption): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const [found, runs] = await Promise.all([tasker.getStep(task, stepOf(step, options)), tasker.getEarlierRuns(task)]);
    const earlier = runs.filter((run) => run.stepUuid === found.stepUuid);
    if (options.json) return printJson({ ...snakeKeys(found), earlier_runs: earlier.map(snakeKeys) });
    print([describeStep(found), ...earlier.map(describeRun)].join('\n\n'));
  });
}

/** Describes an earlier run, and the result that a rerun has dropped. */
function describeRun({ step, rerun, endedByRerun, state, result, completedAt }: EarlierRun): string {
  const run = rerun === 0 ? 'first run' : `rerun ${rerun}`;
  const when = completedAt === null ? '' : ` at ${completedAt}`;
  const head = pc.dim(`${run} of ${step}, replaced by rerun ${endedByRerun}: was ${state}${when}`);
  return result === null ? head : `${head}\n${JSON.stringify(result, null, 2)}`;
}

function describeStep(step: Step): string {
  const { results } = step;
  const ms = results?.metadata.execution_time_ms;
  const head = fields([
    ['step', step.name],
    ['id', step.stepUuid],
    ['state', painted(step.currentState)],
    ['handler', step.callable],
    ['run', step.rerun === 0 ? null : `rerun ${step.rerun}`],
    ['attempts', `${step.attempts} of ${step.maxAttempts}`],
    ['parents', step.totalParents > 0 ? `${step.completedParents} of ${step.totalParents} done` : null],
    ['element', step.element && [step.element.number, step.element.key ?? []].flat().join(' · ')],
    ['elements', step.elements && elementsOf(step.elements)],
    ['started', step.lastAttemptedAt],
    ['completed', step.completedAt],
    ['took', typeof ms === 'number' ? spanOf(ms) : null],
    ['next attempt', step.nextRetryAt],
    ['waits for', step.wait ? shortWait(step.wait, Date.now()) : null],
    ['wait ends', step.wait?.until ?? null],
    ['worker', step.worker],
  ]);
  const parts = [head];
  if (results?.success) parts.push(`${pc.dim('result')}\n${JSON.stringify(results.result, null, 2)}`);
  if (results?.error) {
    const { error_type, message, backtrace } = results.error;
    // Indented, so that no line of it looks like a line of this command.
    const lines = [`${error_type ? `${error_type}: ` : ''}${message}`, pc.dim(backtrace.join('\n'))].join('\n');
    parts.push(`${pc.red('error')} ${lines.trimEnd().replaceAll('\n', '\n  ')}`);
  }
  if (step.eventProblems.length > 0) {
    const lines = step.eventProblems.map(({ event, message }) => oneLine(`${event}: ${message}`));
    parts.push(`${pc.yellow('unpublished events')}\n${lines.join('\n')}`);
  }
  return parts.join('\n\n');
}

/** `tasker step history`: lists every attempt and operator action in order. */
export async function stepHistory(
  task: string,
  given: string | undefined,
  options: GlobalOptions & ElementOption,
): Promise<void> {
  const step = given === undefined ? undefined : stepOf(given, options);
  await withTasker(options, {}, async (tasker) => {
    const all = await tasker.getHistory(task);
    // A rerun may have removed the step. Its history stays.
    const isKnown = step === undefined || all.some((entry) => entry.step === step);
    const name = isKnown ? step : (await tasker.getStep(task, step)).name;
    const entries = all.filter((entry) => name === undefined || entry.step === name);
    if (options.json) return printJson(entries.map(snakeKeys));
    if (entries.length === 0) return note('no attempts or operator actions yet');
    const header = ['time', 'step', 'attempt', 'event', 'new state', 'duration', 'by', 'reason'];
    if (!all.some((entry) => entry.what === 'rerun')) return print(table(header, entries.map(historyRow)));
    const run = ({ rerun }: HistoryEntry) => (rerun === null ? '' : rerun === 0 ? 'first' : `rerun ${rerun}`);
    print(
      table(
        [...header.slice(0, 2), 'run', ...header.slice(2)],
        entries.map((entry) => {
          const [time, of, ...rest] = historyRow(entry);
          return [time!, of!, run(entry), ...rest];
        }),
      ),
    );
  });
}

function historyRow(entry: HistoryEntry): string[] {
  return [
    entry.at,
    entry.step ?? '(task)',
    entry.attempt === null ? '' : String(entry.attempt),
    entry.what,
    painted(entry.toState),
    entry.durationMs === null ? '' : spanOf(entry.durationMs),
    entry.who,
    entry.why?.split('\n')[0] ?? '',
  ];
}
