import { readsOfCondition } from '../engine/condition-reads.ts';
import { failuresOf } from '../engine/decide.ts';
import type { Engine } from '../engine/engine.ts';
import { FAILING_STEP } from '../engine/record.ts';
import type { ListProgress, Pause, Step, StepWait, Task } from '../engine/task-view.ts';
import { isTaskerError } from '../errors.ts';
import { abilityOf, covers } from '../model/announced.ts';
import { durationText } from '../model/duration.ts';
import { stepUuid } from '../model/ids.ts';
import { nearNames } from '../model/near-names.ts';
import { type FailureKind, policyFor, ruleFor } from '../model/retry-rules.ts';
import { handlesFailures, noLongerNeeded } from '../model/routes.ts';
import { announcedNames } from '../registry/announcement.ts';
import { type DeadLetterRow, getDeadLetter } from '../store/dead-letters/list.ts';
import { missingHandlers } from '../store/missing-handlers.ts';
import { type StepTemplate, waitsByType } from '../template/task-template.ts';
import type { TemplateGraph } from '../template/template-graph.ts';
import { WithheldHandlers } from './overview/withheld-handlers.ts';
import { counted, explainStart, explainWait, schemaOfWait } from './wait-words.ts';

/** The reason why one step is in its state. */
export interface StepExplanation {
  step: string;
  /** The name of the step in the template. Differs from `step` for batch workers. */
  templateStepName: string;
  state: string;
  /** The reason, as a sentence. */
  why: string;
  /** The type of the last error. Null unless the step failed, or waits for a retry. */
  errorType: string | null;
  /** Names of the steps that the step still waits for. */
  waitsFor: string[];
  /** ISO time of the next retry or of the end of the wait, if the step waits. */
  until: string | null;
  /** The wait of the step. Null unless the step is in `waiting`. */
  wait: StepWait | null;
  /** The handler that runs the step. */
  handler: string;
  /** The worker that holds the step. */
  heldBy: string | null;
}

/** The reason why a task is in its state. */
export interface Explanation {
  task: Task;
  /** The reason, as a sentence. */
  summary: string;
  steps: StepExplanation[];
}

/**
 * Explains a task from its rows, its template and the live workers. The workers also determine which steps can be
 * claimed.
 */
export function explainTask(engine: Engine, taskUuid: string): Promise<Explanation> {
  return explain(engine, taskUuid, { left: MOST_CHILDREN });
}

/** `budget`: how many child tasks may still be explained. */
async function explain(engine: Engine, taskUuid: string, budget: { left: number }): Promise<Explanation> {
  const [task, steps, workers, snapshot, entry, missing] = await Promise.all([
    engine.getTask(taskUuid),
    engine.getSteps(taskUuid),
    engine.listWorkers(),
    engine.snapshotOf(taskUuid),
    getDeadLetter(engine.database, taskUuid),
    missingHandlers(engine.database),
  ]);
  const { steps: templates, graph } = snapshot;
  const handled = graph.routed ? await handledSteps(engine, taskUuid) : new Set<string>();
  const withheld = new WithheldHandlers(missing);
  const reason = task.status === 'error' ? await reasonOfEnd(engine, taskUuid) : null;
  const liveWorkers = workers.filter((worker) => worker.living && worker.namespaces.includes(task.namespace));
  const made = stepsByTemplate(steps);
  const needless = noLongerNeeded(graph, steps);
  const facts = graph.names.map((_, idx): StepFacts => {
    const step = templates[idx]!;
    const { callable, resolver } = step.handler;
    const missingSince = withheld.since({ namespace: task.namespace, callable, resolver });
    const capable = liveWorkers.filter(({ callables }) =>
      missingSince === undefined ? covers(callables, step.handler) : abilityOf(callables, step.handler) === 'has',
    );
    const taking = capable.filter((worker) => !worker.draining);
    const above = [...graph.parents[idx]!, ...graph.guards[idx]!];
    const open = above.flatMap((parent) =>
      (made.get(graph.names[parent]!) ?? []).filter(
        (one) => !isOver(one, templates[parent]!, handled.has(one.stepUuid)),
      ),
    );
    return {
      task,
      template: step,
      near:
        capable.length > 0
          ? []
          : nearNames(
              callable,
              liveWorkers.flatMap(({ callables }) => announcedNames(callables)),
            ),
      liveWorkers: liveWorkers.map(nameOf),
      capable: capable.map(nameOf),
      taking: taking.map(nameOf),
      missingSince,
      open,
      above: graph.parents[idx]!.flatMap((parent) => made.get(graph.names[parent]!) ?? []),
      routes: graph.children[idx]!.filter((child) => handlesFailures(graph.runIf[child]!)).map(
        (child) => graph.names[child]!,
      ),
      takenBy: graph.names[needless.get(idx) ?? -1],
      handled,
      whenReads: (element) => readsOfCondition({ task, steps, snapshot, step, element }),
      list: listFacts(graph, { idx, made, handled }),
    };
  });
  const children = await childSummaries(engine, task, { steps, budget });
  const elements = elementsByTemplate(graph, made);
  const factsOf = (step: Step): StepFacts => {
    const idx = graph.indexOf.get(step.templateStepName)!;
    if (step.element === null) return facts[idx]!;
    // The steps of an element wait only for steps of the same element.
    const above = graph.parents[idx]!.flatMap((parent) => elements.get(parent)?.get(step.element!.number) ?? []);
    const open = above.filter(
      (one) => !isOver(one, templates[graph.indexOf.get(one.templateStepName)!]!, handled.has(one.stepUuid)),
    );
    return { ...facts[idx]!, above, open };
  };
  const explained = steps.map((step) => explainStep(step, factsOf(step), children.get(step.stepUuid)));
  const idle = new Set(explained.filter((_, i) => !isHeldByAble(steps[i]!, factsOf(steps[i]!))));
  const blocking = explained.filter((_, i) => !handled.has(steps[i]!.stepUuid));
  const rerun = task.reruns > 0 ? await rerunOf(engine, task) : '';
  return {
    task,
    summary: `${summaryOf(task, task.status === 'blocked_by_failures' ? blocking : explained, { reason, idle })}${pauseOf(task)}${staleness(task)}${deadLetterOf(entry)}${rerun}`,
    steps: explained,
  };
}

/** Maximum number of child tasks that are explained with their parent. */
const MOST_CHILDREN = 10;

/** Returns why the children that steps wait for are in their states, by the id of the step. */
async function childSummaries(
  engine: Engine,
  parent: Task,
  { steps, budget }: { steps: readonly Step[]; budget: { left: number } },
): Promise<Map<string, string>> {
  const waiting = steps.filter(({ wait }) => wait?.kind === 'task' || wait?.kind === 'tasks').slice(0, budget.left);
  budget.left -= waiting.length;
  const found = await Promise.all(
    waiting.map(async ({ stepUuid: id, wait }) => {
      try {
        return [
          id,
          wait!.kind === 'tasks'
            ? await listSummary(engine, parent, { stepUuid: id, budget })
            : `the child task ${await childSummary(engine, parent, { taskUuid: String(wait!.settings.task_uuid), budget })}`,
        ] as const;
      } catch (error) {
        // The child may have been deleted.
        if (isTaskerError(error)) return [id, 'the child task no longer exists'] as const;
        throw error;
      }
    }),
  );
  return new Map(found);
}

/** Explains the oldest of the children that a step still waits for. */
async function listSummary(
  engine: Engine,
  parent: Task,
  { stepUuid, budget }: { stepUuid: string; budget: { left: number } },
): Promise<string> {
  const open = await engine.openOfList({ taskUuid: parent.taskUuid, step: stepUuid });
  if (open.length === 0) return 'all of them have ended';
  const oldest = await childSummary(engine, parent, { taskUuid: open[0]!, budget });
  return `${open.length === 1 ? '1 has' : `${open.length} have`} not ended: child task ${open[0]} ${oldest}`;
}

/** A reader of the parent may not be allowed to see the steps of a child in another namespace. */
async function childSummary(
  engine: Engine,
  parent: Task,
  { taskUuid, budget }: { taskUuid: string; budget: { left: number } },
): Promise<string> {
  const { namespace, status } = await engine.getTask(taskUuid);
  return namespace === parent.namespace ? (await explain(engine, taskUuid, budget)).summary : `is ${status}`;
}

/** Groups the steps of a task by their step in the template. All workers of a batch are in one group. */
function stepsByTemplate(steps: readonly Step[]): Map<string, Step[]> {
  const made = new Map<string, Step[]>();
  for (const step of steps) {
    const others = made.get(step.templateStepName);
    if (others) others.push(step);
    else made.set(step.templateStepName, [step]);
  }
  return made;
}

/** Groups the steps of elements by their step in the template and by their element. */
function elementsByTemplate(
  graph: TemplateGraph,
  made: ReadonlyMap<string, readonly Step[]>,
): Map<number, Map<number, Step>> {
  return new Map(
    [...graph.elementOf.keys()].map((idx) => {
      const steps = made.get(graph.names[idx]!) ?? [];
      return [idx, new Map(steps.map((step) => [step.element!.number, step]))];
    }),
  );
}

/** The states of the steps that a list waits for. */
interface ListFacts {
  /** The first step of an element that failed without a step after it that handles the failure. */
  failed: Step | undefined;
  /** A step of an element that waits. */
  busy: Step | undefined;
}

/** Returns the states of the steps of a list. Undefined if a step has no list. */
function listFacts(
  graph: TemplateGraph,
  { idx, made, handled }: { idx: number; made: ReadonlyMap<string, readonly Step[]>; handled: ReadonlySet<string> },
): ListFacts | undefined {
  if (graph.types[idx] !== 'for_each') return undefined;
  const inner = [...graph.elementOf].flatMap(([step, list]) =>
    list === idx ? (made.get(graph.names[step]!) ?? []) : [],
  );
  return {
    failed: inner.find(({ currentState, stepUuid: id }) => currentState === 'error' && !handled.has(id)),
    busy: inner.find(({ currentState }) => currentState === 'waiting' || currentState === 'waiting_for_retry'),
  };
}

/** Returns who ended a task in `error`, and why. */
async function reasonOfEnd(engine: Engine, taskUuid: string): Promise<string> {
  const end = (await engine.getHistory(taskUuid)).findLast((entry) => entry.what === 'fail');
  return `${end?.who === FAILING_STEP ? 'a step of the type fail' : 'its lifecycle'}: ${end?.why ?? 'unknown reason'}`;
}

/** Describes the last rerun. */
async function rerunOf(engine: Engine, task: Task): Promise<string> {
  const last = (await engine.getHistory(task.taskUuid)).findLast((entry) => entry.what === 'rerun');
  const times = task.reruns === 1 ? 'it ran again' : `it ran again ${task.reruns} times, last`;
  // The audit entry of the rerun may have been deleted.
  if (!last) return `; ${times} at ${task.rerunAt}`;
  return `; ${times} from ${last.step} at ${last.at}, by ${last.who}${last.why === null ? '' : `: ${last.why}`}`;
}

/** Lists the pauses, with the command that ends each. */
function pauseOf({ paused }: Task): string {
  if (!paused) return '';
  const commands = paused.map(({ scope, target }) => `\`tasker ${scope} resume ${target}\``);
  return `; paused: ${paused.map(describePause).join('; ')}. No step starts until ${commands.join(' and ')}`;
}

function describePause({ scope, target, pausedAt, pausedBy, reason }: Pause): string {
  const what = scope === 'task' ? 'this task' : `${scope} ${target}`;
  return `${what} by ${pausedBy} at ${pausedAt}${reason === null ? '' : ` (${reason})`}`;
}

function staleness({ stale, rerunAt, createdAt }: Task): string {
  if (!stale) return '';
  const { rule, minutes, since } = stale;
  const start = since === rerunAt ? 'last rerun' : since === createdAt ? 'creation' : 'start';
  return rule === 'max_duration_minutes' || rule.endsWith('task_max_lifetime_hours')
    ? `; it is stale: not done ${counted(minutes, 'minute')} after its ${start} (${rule})`
    : `; it is stale: no progress since ${since}, for more than ${counted(minutes, 'minute')} (${rule})`;
}

function deadLetterOf(entry: DeadLetterRow | undefined): string {
  if (entry?.resolutionStatus !== 'pending' || entry.hasMovedOn) return '';
  const { dlqReason, dlqTimestamp, assignee } = entry;
  const who = assignee === null ? 'and has no assignee' : `assigned to ${assignee}`;
  return `; it is in the dead letters (${dlqReason}) since ${dlqTimestamp}, ${who}`;
}

function nameOf({ name }: { name: string }): string {
  return name;
}

/** Returns whether other steps no longer wait for this step. */
function isOver({ currentState }: Step, template: StepTemplate, isHandled: boolean): boolean {
  if (['complete', 'resolved_manually', 'cancelled', 'skipped'].includes(currentState)) return true;
  return currentState === 'error' && (isTolerated(template) || isHandled);
}

/** Returns whether a batch continues without its failed workers. */
function isTolerated({ type, batchConfig }: StepTemplate): boolean {
  return type === 'batch_worker' && batchConfig?.failureStrategy !== 'fail_fast';
}

/** The data that all steps of one template step share. */
interface StepFacts {
  task: Task;
  template: StepTemplate;
  /** Names of handlers of live workers that are similar to a handler that none of them has. */
  near: string[];
  /** Names of the live workers that serve the namespace. */
  liveWorkers: string[];
  /** Names of the live workers that have the handler. */
  capable: string[];
  /** Names of the workers with the handler that take steps. The others are draining. */
  taking: string[];
  /** When a worker first missed the handler, if no live worker has it. */
  missingSince: string | undefined;
  /** The steps that must end before this step starts. */
  open: Step[];
  /** Its direct parents. */
  above: Step[];
  /** The names of the steps after it that run after its failure. */
  routes: string[];
  /** The join after it that began with the result of another step. */
  takenBy: string | undefined;
  /** The ids of the failed steps whose failure is handled. */
  handled: ReadonlySet<string>;
  /** The values that its condition read, as text. `element`: the number of the element that the step runs for. */
  whenReads: (element: number | undefined) => string;
  /** The steps that its list waits for. Undefined if it has no list. */
  list: ListFacts | undefined;
}

function explainStep(step: Step, facts: StepFacts, child: string | undefined): StepExplanation {
  return {
    step: step.name,
    templateStepName: step.templateStepName,
    state: step.currentState,
    why: `${reasonOf(step, facts)}${child === undefined ? '' : `; ${child}`}`,
    errorType: hasFailed(step) ? (step.results?.error?.error_type ?? null) : null,
    waitsFor: facts.open.map(nameOf),
    until: step.nextRetryAt ?? step.wait?.until ?? null,
    wait: step.wait,
    handler: step.callable,
    heldBy: step.currentState === 'in_progress' ? step.worker : null,
  };
}

/** Returns whether a live worker that has the handler of the step holds it. */
function isHeldByAble({ worker }: Step, { liveWorkers, capable }: StepFacts): boolean {
  return (worker === null || liveWorkers.includes(worker)) && capable.includes(worker ?? '');
}

function hasFailed({ currentState }: Step): boolean {
  return currentState === 'error' || currentState === 'waiting_for_retry';
}

function reasonOf(step: Step, facts: StepFacts): string {
  const { task, template, liveWorkers, capable, taking, open } = facts;
  const attempt = attemptOf(step, template);
  const error = step.results?.error?.message;
  switch (step.currentState) {
    case 'pending': {
      if (step.elements) return waitForElements(step.elements, facts.list!);
      if (open.length === 0 && task.startsAt !== null)
        return `waits for the start of its task, at ${task.startsAt.slice(0, 19)}Z`;
      if (open.length === 0 && template.batchConfig) {
        return `waits for another batch worker to end: at most ${template.batchConfig.parallelism} of ${template.name} run at the same time (parallelism)`;
      }
      const stuck = open.filter((parent) => parent.currentState === 'error');
      if (template.join === 'any') return waitForFirst(open, stuck);
      return stuck.length > 0
        ? `waits for ${list(open.map(nameOf))}; ${list(stuck.map(nameOf))} failed, so it cannot run until an operator acts`
        : `waits for ${list(open.map(nameOf))}`;
    }
    case 'enqueued':
      if (task.paused) return `is ready; waits for the end of the pause of ${list(task.paused.map(pausedPart))}`;
      if (liveWorkers.length === 0) return `is ready; no running worker serves namespace ${task.namespace}: start one`;
      if (capable.length === 0)
        return `is ready; no running worker has handler ${step.callable}${suggestion(facts)}${missingText(facts)}`;
      if (taking.length === 0)
        return `is ready; ${list(capable)} ${capable.length === 1 ? 'has' : 'have'} handler ${step.callable}, but takes no steps while draining: resume it, or start another worker`;
      return `is ready; waits for a free slot in ${list(taking)}`;
    case 'in_progress':
      if (step.worker !== null && !liveWorkers.includes(step.worker)) {
        return `${attempt} was started by ${step.worker}, whose lease has expired; a running worker takes over the step`;
      }
      if (!capable.includes(step.worker ?? '')) {
        return `${attempt} is held by ${step.worker ?? 'a worker'}, which does not have handler ${step.callable}${suggestion(facts)}; if no worker gets the handler soon, the step waits for one that has it`;
      }
      return `${attempt} has been running on ${step.worker ?? 'a worker'} since ${step.lastAttemptedAt}`;
    case 'waiting':
      // The wait may have ended since its step was read.
      if (step.wait === null) return 'its wait has just ended';
      return explainWait(step, step.wait, {
        now: Date.now(),
        hasWorkers: liveWorkers.length > 0,
        schema: schemaOfWait(template),
      });
    case 'waiting_for_retry':
      return `${attempt} failed (${error}); next attempt at ${step.nextRetryAt}${task.paused ? ', or when the pause ends' : ''}${timeText(template)}`;
    case 'error':
      if (facts.handled.has(step.stepUuid)) {
        const by = facts.takenBy ?? list(facts.routes);
        return `failed permanently in ${attempt}: ${error}${endText(step, template)}; the failure is handled by ${by}`;
      }
      return isTolerated(template)
        ? `failed permanently in ${attempt}: ${error}${endText(step, template)}; its batch continues without it (${template.batchConfig?.failureStrategy})`
        : `failed permanently in ${attempt}: ${error}${endText(step, template)}; reset, resolve or complete it to continue`;
    case 'complete':
      return `completed at ${step.completedAt}`;
    case 'resolved_manually':
      return `was resolved by an operator at ${step.completedAt}`;
    case 'skipped':
      return explainSkip(step, facts);
    case 'cancelled':
      if (facts.takenBy !== undefined) return `was cancelled, because ${facts.takenBy} began without it (join: any)`;
      return task.status === 'cancelled' || task.status === 'error'
        ? 'was cancelled with its task'
        : 'was cancelled when another worker of its batch failed (fail_fast)';
    case 'enqueued_for_orchestration':
    case 'enqueued_as_error_for_orchestration':
      return 'its result is being recorded';
  }
}

/** Explains which elements a list waits for, and the failure or the wait of one of them. */
function waitForElements(
  { total, completed, failed, open, started }: ListProgress,
  { failed: step, busy }: ListFacts,
): string {
  const parts = [
    `${completed} of ${total} ${completed === 1 ? 'is' : 'are'} complete`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(open > 0 ? [`${open} ${open === 1 ? 'is' : 'are'} running or waiting`] : []),
    ...(started < total ? [`${total - started} ${total - started === 1 ? 'has' : 'have'} not started`] : []),
  ];
  const labelled = ({ name, element }: Step) =>
    element?.key == null ? name : `${name} (${element.key.replaceAll(/\s+/g, ' ')})`;
  const stuck = step && `${labelled(step)} failed, so the list cannot complete until an operator acts`;
  const slow = busy && `${labelled(busy)} is ${busy.currentState}`;
  return [`waits for its elements: ${parts.join(', ')}`, ...[stuck ?? slow ?? []].flat()].join('; ');
}

function waitForFirst(open: readonly Step[], stuck: readonly Step[]): string {
  const [names, failed] = [list(open.map(nameOf)), list(stuck.map(nameOf))];
  const waits = open.length === 1 ? `waits for ${names}` : `waits for the first of ${names}`;
  if (stuck.length === 0) return waits;
  const end = stuck.length < open.length ? '' : ', so it cannot run until an operator acts';
  return `${waits}; ${failed} failed${end}`;
}

/** Returns the number of an attempt, and the number that the policy allows: for its failure, if it failed. */
function attemptOf(step: Step, { type, retry }: StepTemplate): string {
  // A step that only waits is not retried.
  if (waitsByType(type)) return `attempt ${step.attempts}`;
  if (retry.rules === null) return `attempt ${step.attempts} of ${step.maxAttempts}`;
  if (!hasFailed(step)) return `attempt ${step.attempts} of at most ${step.maxAttempts}`;
  const { maxAttempts, retryable } = policyFor(retry, failureOf(step));
  if (retryable === false) return `attempt ${step.attempts}`;
  // Attempts that failed in another way count too, and their limit may be higher.
  return step.attempts > maxAttempts
    ? `attempt ${step.attempts} (limit ${maxAttempts})`
    : `attempt ${step.attempts} of ${maxAttempts}`;
}

function failureOf({ results }: Step): FailureKind {
  return { type: results?.error?.error_type, code: results?.metadata.error_code };
}

/** Says until when retries may start, if the policy limits their time. */
function timeText({ retry }: StepTemplate): string {
  if (retry.forMs === null) return '';
  return `; no retry starts later than ${durationText(retry.forMs)} after the start of the first attempt`;
}

/** Says why the policy ended the retries of a failed step before its attempts were used up. */
function endText(step: Step, { retry }: StepTemplate): string {
  const failure = failureOf(step);
  const rule = ruleFor(retry, failure);
  if (rule?.retryable === false) return ` (not retried, because of the rule for ${list(rule.error)})`;
  const { maxAttempts } = policyFor(retry, failure);
  const timed = retry.forMs !== null && step.results?.error?.retryable === true && step.attempts < maxAttempts;
  return timed
    ? ` (not retried, because the next attempt would start later than ${durationText(retry.forMs!)} after the first)`
    : '';
}

/** Explains why a step was skipped: because of its condition, or because of how its parents ended. */
function explainSkip(step: Step, { template, above, takenBy, whenReads }: StepFacts): string {
  // Only a step that was claimed has evaluated its condition.
  if (template.when !== null && step.lastAttemptedAt !== null) {
    const reads = whenReads(step.element?.number);
    return `was skipped, because its condition is false: ${template.when}${reads === '' ? '' : ` (${reads})`}`;
  }
  const runIf = template.runIf ?? 'complete';
  const of = (states: readonly string[]) =>
    above.filter(({ currentState }) => states.includes(currentState)).map(nameOf);
  const [failed, skipped] = [of(['error']), of(['skipped', 'cancelled'])];
  const reasons = [
    ...(failed.length > 0 ? [`${list(failed)} failed`] : []),
    ...(skipped.length > 0 ? [`${list(skipped)} ${skipped.length === 1 ? 'was' : 'were'} skipped`] : []),
  ];
  if (takenBy !== undefined && reasons.length === 0) {
    return `was skipped, because ${takenBy} began without it (join: any)`;
  }
  const why = runIf === 'failed' ? 'no step before it failed' : reasons.join(' and ');
  return `was skipped, because ${why || 'of the steps before it'} (run_if: ${runIf})`;
}

/** Returns the ids of the failed steps of a task whose failure is handled. */
async function handledSteps(engine: Engine, taskUuid: string): Promise<Set<string>> {
  const { handled } = await failuresOf({ tx: engine.database, templates: engine.templates }, taskUuid);
  return new Set([...handled].map((idx) => stepUuid(taskUuid, idx)));
}

function suggestion({ near }: StepFacts): string {
  return near.length === 0 ? '' : ` (did you mean ${near.join(' or ')}?)`;
}

function missingText({ missingSince }: StepFacts): string {
  return missingSince === undefined
    ? ''
    : `, since ${missingSince}; export it in a handler file of a worker, or correct the name in the template`;
}

function pausedPart({ scope, target }: Pause): string {
  return scope === 'task' ? 'the task' : `${scope} ${target}`;
}

function list(names: string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}

function waitingSummary({ healthStatus }: Task, steps: readonly StepExplanation[]): string {
  const waiting = steps.filter((step) => step.state === 'waiting');
  const failed = steps.filter((step) => step.state === 'error').map((step) => step.step);
  const [first] = waiting;
  const waits =
    waiting.length === 1 ? `${first!.step} ${first!.why}` : `waits: ${list(waiting.map((step) => step.step))}`;
  if (healthStatus !== 'blocked' || failed.length === 0) return first ? waits : 'waits';
  return `${waits}; ${list(failed)} failed permanently: an operator must act on ${failed.length === 1 ? 'it' : 'them'}`;
}

/** Names the steps that wait for a retry, with the time of the first retry. */
function retrySummary(steps: readonly StepExplanation[]): string {
  const waiting = steps.filter(({ state }) => state === 'waiting_for_retry');
  const times = waiting.flatMap(({ until }) => until ?? []).sort((one, other) => Date.parse(one) - Date.parse(other));
  const time = times.length === 0 ? '' : `${waiting.length === 1 ? '' : ', the first'} at ${times[0]}`;
  return `waits for the retry of ${list(waiting.map(({ step }) => step))}${time}`;
}

/** `idle`: the steps in progress that no worker runs. */
function summaryOf(
  task: Task,
  steps: StepExplanation[],
  { reason, idle }: { reason: string | null; idle: ReadonlySet<StepExplanation> },
): string {
  const of = (state: string) => steps.filter((step) => step.state === state).map((step) => step.step);
  if (task.status === 'complete') {
    const left = ['error', 'cancelled'].filter((state) => of(state).length > 0);
    const skips = of('skipped').length;
    if (skips > 0) {
      const failed = of('error').length > 0 ? `; ${list(of('error'))} failed, and other steps handled it` : '';
      return `is complete: ${task.completedSteps} of ${task.totalSteps} steps are done, ${skips} ${skips === 1 ? 'was' : 'were'} skipped${failed}`;
    }
    if (left.length === 0)
      return `is complete: ${task.totalSteps === 1 ? 'its only step is' : `all ${task.totalSteps} steps are`} done`;
    const others = left.map((state) => `${list(of(state))} ${state === 'error' ? 'failed' : 'cancelled'}`);
    return `is complete: ${task.completedSteps} of ${task.totalSteps} steps are done, its batches continued without the others: ${others.join('; ')}`;
  }
  if (task.status === 'undone') {
    const undone = [...of('complete'), ...of('resolved_manually')].filter((step) => step.startsWith('undo:'));
    return undone.length === 0
      ? 'was undone: no step had an effect to undo'
      : `was undone: ${list(undone.map((step) => step.slice(5)))}`;
  }
  if (task.status === 'cancelled') return 'was cancelled';
  if (task.status === 'error') return `was ended by ${reason}`;
  if (task.status === 'waiting_for_retry') return retrySummary(steps);
  if (task.status === 'blocked_by_failures') {
    return `cannot continue: ${list(of('error'))} failed permanently; an operator must act`;
  }
  if (task.status === 'waiting') return waitingSummary(task, steps);
  if (task.startsAt !== null) return explainStart(task, Date.now());
  const started = steps.filter((step) => step.state === 'in_progress');
  const running = started.filter((step) => !idle.has(step)).map((step) => step.step);
  if (running.length === 0 && started[0]) return `${started[0].step}: ${started[0].why}`;
  if (running.length > 0) return `in progress: ${list(running)} ${running.length === 1 ? 'is' : 'are'} running`;
  const ready = steps.find((step) => step.state === 'enqueued');
  if (ready && task.paused) return `waits: ${list(of('enqueued'))} ${of('enqueued').length === 1 ? 'is' : 'are'} ready`;
  return ready ? `${ready.step} ${ready.why}` : `is ${task.status}`;
}
