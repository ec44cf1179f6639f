import { stateOfBatch } from '../../app/json/batch-state.ts';
import { type Step, type Task, taskJson } from '../../app/json/views.ts';
import type { Tasker, TaskSnapshot } from '../../app/tasker.ts';
import { waitedFor } from '../../app/wait-words.ts';
import { TaskerError } from '../../errors.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { reportError } from '../report-error.ts';
import { foldBatches } from '../show/fold-batches.ts';
import { LiveScreen } from '../show/live-screen.ts';
import { note, print } from '../show/output.ts';
import { StallNotice } from '../show/stall-notice.ts';
import { type Parents, parentsOf, stepTree } from '../show/step-tree.ts';
import { painted, signOf, spanOf, wrapWords } from '../show/text.ts';
import { thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

/** Options of {@link watch}. */
export interface WatchOptions extends GlobalOptions {
  /** Milliseconds. */
  timeout?: number;
}

/** `tasker task watch`: follows a task until it ends or is blocked. */
export async function taskWatch(uuid: string, options: WatchOptions): Promise<void> {
  thisRun().exitCode = await withTasker(options, { listen: true }, (tasker) => watch(tasker, uuid, options));
}

/** Follows a task until it ends or is blocked, and returns the exit code. Without a terminal, lines go to `write`. */
export async function watch(
  tasker: Tasker,
  uuid: string,
  { timeout, json = false }: WatchOptions,
  write: (line: string) => void = print,
): Promise<number> {
  const stop = new AbortController();
  const release = thisRun().onStop(() => stop.abort(), { once: true });
  const timer = timeout === undefined ? undefined : setTimeout(() => stop.abort(late(uuid, timeout)), timeout);
  try {
    const status = await followTask(tasker, uuid, { signal: stop.signal, json, write, remark: note });
    if (status === 'blocked_by_failures') {
      note(`the task is blocked until an operator acts; \`npx tasker task why ${uuid}\` shows what failed`);
      return EXIT.blocked;
    }
    return status === 'complete' || status === 'resolved_manually' ? EXIT.ok : EXIT.failed;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    const { reason } = stop.signal as { reason: unknown };
    if (reason instanceof TaskerError) reportError(reason);
    else note(`the task continues; \`npx tasker task watch ${uuid}\` follows it again`);
    return reason instanceof TaskerError ? EXIT.failed : EXIT.interrupted;
  } finally {
    clearTimeout(timer);
    release();
  }
}

function late(uuid: string, ms: number): TaskerError {
  return new TaskerError(
    'timeout',
    `task ${uuid} did not end within ${ms / 1000} s; it continues, and \`npx tasker task why ${uuid}\` shows what it waits for`,
  );
}

/** States in which a task stays, permanently or until an operator acts. */
export const RESTING: ReadonlySet<Task['status']> = new Set([
  'complete',
  'error',
  'cancelled',
  'resolved_manually',
  'blocked_by_failures',
  'undone',
]);

/** Options of {@link followTask}. */
export interface FollowOptions {
  signal: AbortSignal;
  /** Writes a JSON document on one line after each change. */
  json: boolean;
  /** Receives the lines if there is no terminal. */
  write: (line: string) => void;
  /** Receives remarks that are not part of the result. */
  remark: (line: string) => void;
}

/** Shows the progress of a task: as a tree on a terminal, otherwise a line for each change. Returns its last status. */
export async function followTask(
  tasker: Tasker,
  taskUuid: string,
  { signal, json, write, remark }: FollowOptions,
): Promise<Task['status']> {
  const show = json
    ? jsonLines(write, remark)
    : thisRun().stdout.isTTY
      ? liveTree(await treeParents(tasker, taskUuid))
      : plainLines(write, remark);
  const stall = new StallNotice({ why: () => tasker.why(taskUuid), show: (reasons) => show.stalled(reasons) });
  let last: TaskSnapshot | undefined;
  try {
    for await (const snapshot of tasker.watchTask(taskUuid, { signal })) {
      last = snapshot;
      stall.moved();
      show.update(snapshot);
    }
    signal.throwIfAborted();
  } finally {
    stall.stop();
    show.end();
  }
  return last!.task.status;
}

async function treeParents(tasker: Tasker, taskUuid: string): Promise<Parents> {
  return parentsOf(tasker, await tasker.getTask(taskUuid));
}

/** States in which a batch worker has ended. */
const OVER: ReadonlySet<Step['currentState']> = new Set([
  'complete',
  'skipped',
  'resolved_manually',
  'cancelled',
  'error',
]);

interface Show {
  update(snapshot: TaskSnapshot): void;
  /** The reasons why the task makes no progress. Empty once the task makes progress. */
  stalled(reasons: readonly string[]): void;
  end(): void;
}

function jsonLines(write: (line: string) => void, remark: (line: string) => void): Show {
  return {
    update: (snapshot) => write(JSON.stringify(taskJson(snapshot))),
    stalled: remarksOn(remark),
    end: () => {},
  };
}

/** Writes a reason only when it changes. The reason is looked up every two seconds. */
function remarksOn(remark: (line: string) => void): Show['stalled'] {
  let before = '';
  return (reasons) => {
    // Durations are removed, because they grow while the reason stays the same.
    const now = reasons.join('\n').replaceAll(/\d+(\.\d)? (ms|s|min|h|d)\b/g, '');
    if (reasons.length > 0 && now !== before) for (const reason of reasons) remark(`… no progress: ${reason}`);
    if (reasons.length > 0) before = now;
  };
}

function plainLines(write: (line: string) => void, remark: (line: string) => void): Show {
  const known = new Map<string, string>();
  const tell = (key: string, state: string, line: () => string) => {
    if (known.get(key) === state) return;
    known.set(key, state);
    write(line());
  };
  return {
    update: ({ task, steps }) => {
      const { batches } = foldBatches(
        steps.map((step) => ({ ...step, state: step.currentState })),
        new Map(),
      );
      for (const [name, workers] of batches) {
        const over = workers.filter(({ currentState }) => OVER.has(currentState)).length;
        // Writes a line for each tenth of the batch.
        const tenths = Math.floor((over * 10) / workers.length);
        tell(
          name,
          String(tenths),
          () =>
            `${signOf(stateOfBatch(workers.map(({ state }) => state)))} ${name}: ${over} of ${workers.length} ended`,
        );
      }
      for (const step of steps) {
        if (!known.has(step.name) && step.currentState === 'pending') continue;
        if (batches.has(step.templateStepName) && step.currentState !== 'error') continue;
        tell(step.name, `${step.currentState} ${step.attempts}`, () => stepLine(step));
      }
      // Task and steps are read separately, so the data is consistent only once the task has stopped changing.
      if (RESTING.has(task.status)) tell('', task.status, () => taskLine(task));
    },
    stalled: remarksOn(remark),
    end: () => {},
  };
}

function stepLine(step: Step): string {
  const error = step.currentState === 'complete' ? undefined : step.results?.error?.message.split('\n')[0];
  const waits = step.wait ? `: ${waitedFor(step.wait)}` : '';
  const attempt = step.attempts > 1 ? ` (attempt ${step.attempts} of ${step.maxAttempts})` : '';
  return `${signOf(step.currentState)} ${step.name} ${painted(step.currentState)}${waits}${attempt}${error ? `: ${error}` : ''}`;
}

/** Returns a line such as `✔ task complete, 4 of 4 steps, after 1.2 s`. */
export function taskLine(task: Task): string {
  const end =
    task.completedAt === null ? '' : `, after ${spanOf(Date.parse(task.completedAt) - Date.parse(task.createdAt))}`;
  return `${signOf(task.status)} task ${painted(task.status)}, ${task.completedSteps} of ${task.totalSteps} steps${end}`;
}

function liveTree(parents: Parents): Show {
  let latest: TaskSnapshot | undefined;
  let reasons: readonly string[] = [];
  const screen = new LiveScreen(thisRun().stdout, (spinner) => {
    if (!latest) return [];
    const [title = '', ...tree] = taskBlock(latest, parents, spinner);
    // The reasons are directly below the title, because the end of a long tree is cut off.
    return [title, ...reasons.flatMap((reason) => wrapped(reason).map((line) => pc.yellow(line))), ...tree];
  });
  return {
    update: (snapshot) => {
      latest = snapshot;
      screen.draw();
    },
    stalled: (now) => {
      reasons = now;
    },
    end: () => screen.end(),
  };
}

/** Wraps a reason to the width of the terminal, so that it is not cut off. */
function wrapped(reason: string): string[] {
  const lines = wrapWords(reason, Math.max(20, (thisRun().stdout.columns ?? 80) - 6));
  return lines.map((line, at) => `${at === 0 ? '  … ' : '    '}${line}`);
}

/** Returns the line of a task and the tree of its steps. */
export function taskBlock({ task, steps }: TaskSnapshot, parents: Parents, spinner: string): string[] {
  const title = `${taskLine(task)}  ${task.namespace}/${task.name}@${task.version}  ${task.taskUuid}`;
  return [title, ...stepTree(steps, parents, { now: Date.now(), spinner }).map((line) => `  ${line}`)];
}
