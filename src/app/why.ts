import type { Engine } from '../engine/engine.ts';
import type { Step, Task } from '../engine/task-view.ts';
import { covers } from '../registry/announcement.ts';
import type { StepTemplate } from '../template/task-template.ts';

/** Why one step is where it is. */
export interface StepExplanation {
  step: string;
  /** The step of the template that it is made from: differs from `step` for the workers of a batch. */
  templateStepName: string;
  state: string;
  /** A sentence. */
  why: string;
  /** Names of parents that are not done. */
  waitsFor: string[];
  /** ISO time until which it waits, if there is one. */
  until: string | null;
  /** The handler that a worker must have. */
  handler: string;
  /** The worker that holds it. */
  heldBy: string | null;
}

/** Why a task is where it is. */
export interface Explanation {
  task: Task;
  /** A sentence. */
  summary: string;
  steps: StepExplanation[];
}

/** Explains a task from its rows, its template and the living workers: what the claim goes by, in words. */
export async function explainTask(engine: Engine, taskUuid: string): Promise<Explanation> {
  const [task, steps, workers, { template, graph }] = await Promise.all([
    engine.getTask(taskUuid),
    engine.getSteps(taskUuid),
    engine.listWorkers(),
    engine.snapshotOf(taskUuid),
  ]);
  const reason = task.status === 'error' ? await reasonOfEnd(engine, taskUuid) : null;
  const living = workers.filter((worker) => worker.living && worker.namespaces.includes(task.namespace));
  const made = stepsByTemplate(steps);
  const around = graph.names.map((_, idx): Around => {
    const step = template.steps[idx]!;
    const able = living.filter((worker) => covers(worker.callables, step.handler));
    const above = [...graph.parents[idx]!, ...graph.guards[idx]!];
    const open = above.flatMap((parent) =>
      (made.get(graph.names[parent]!) ?? []).filter((one) => !isOver(one, template.steps[parent]!)),
    );
    return { task, template: step, living: living.map(nameOf), able: able.map(nameOf), open };
  });
  const explained = steps.map((step) => explainStep(step, around[graph.indexOf.get(step.templateStepName)!]!));
  return { task, summary: `${summaryOf(task, explained, reason)}${staleness(task)}`, steps: explained };
}

/** The steps of a task by the step of the template that they are made from: many of a batch, else one. */
function stepsByTemplate(steps: readonly Step[]): Map<string, Step[]> {
  const made = new Map<string, Step[]>();
  for (const step of steps) {
    const others = made.get(step.templateStepName);
    if (others) others.push(step);
    else made.set(step.templateStepName, [step]);
  }
  return made;
}

async function reasonOfEnd(engine: Engine, taskUuid: string): Promise<string | null> {
  return (await engine.getHistory(taskUuid)).findLast((entry) => entry.what === 'fail')?.why ?? null;
}

function staleness({ stale }: Task): string {
  if (!stale) return '';
  const { rule, minutes, since } = stale;
  return rule === 'max_duration_minutes'
    ? `; it is stale: not done ${minutes} minutes after its creation (${rule})`
    : `; it is stale: nothing moved since ${since}, for longer than ${minutes} minutes (${rule})`;
}

function nameOf({ name }: { name: string }): string {
  return name;
}

/** Whether nobody waits for a step any more. */
function isOver({ currentState }: Step, template: StepTemplate): boolean {
  if (currentState === 'complete' || currentState === 'resolved_manually' || currentState === 'cancelled') return true;
  return currentState === 'error' && isTolerated(template);
}

/** Whether a batch goes on without those of its workers that fail. */
function isTolerated({ type, batchConfig }: StepTemplate): boolean {
  return type === 'batch_worker' && batchConfig?.failureStrategy !== 'fail_fast';
}

/** What is the same for all that are made from one step of the template. */
interface Around {
  task: Task;
  template: StepTemplate;
  /** Workers of the namespace. */
  living: string[];
  /** Those that have the handler. */
  able: string[];
  /** The steps that must still be over before it starts. */
  open: Step[];
}

function explainStep(step: Step, around: Around): StepExplanation {
  return {
    step: step.name,
    templateStepName: step.templateStepName,
    state: step.currentState,
    why: reasonOf(step, around),
    waitsFor: around.open.map(nameOf),
    until: step.nextRetryAt,
    handler: step.callable,
    heldBy: step.currentState === 'in_progress' ? step.worker : null,
  };
}

function reasonOf(step: Step, { task, template, living, able, open }: Around): string {
  const attempt = `attempt ${step.attempts} of ${step.maxAttempts}`;
  const error = step.results?.error?.message;
  switch (step.currentState) {
    case 'pending': {
      if (open.length === 0 && template.batchConfig) {
        return `waits for a free place: of ${template.name}, at most ${template.batchConfig.parallelism} run at once (parallelism)`;
      }
      const stuck = open.filter((parent) => parent.currentState === 'error');
      return stuck.length > 0
        ? `waits for ${list(open.map(nameOf))}; ${list(stuck.map(nameOf))} failed, so it can't run until an operator acts on that`
        : `waits for ${list(open.map(nameOf))}`;
    }
    case 'enqueued':
      if (living.length === 0) return `is ready; no running worker serves namespace ${task.namespace}: start one`;
      if (able.length === 0) return `is ready; no living worker has a handler ${step.callable}`;
      return `is ready; waits for a free slot of ${list(able)}`;
    case 'in_progress':
      if (step.worker !== null && !living.includes(step.worker)) {
        return `${attempt} was started by ${step.worker}, which gave no sign of life for too long; a living worker takes it back`;
      }
      if (!able.includes(step.worker ?? '')) {
        return `${attempt} is held by ${step.worker ?? 'a worker'}, which has no handler ${step.callable} yet; it waits a while for one, then fails`;
      }
      return `${attempt} runs on ${step.worker ?? 'a worker'} since ${step.lastAttemptedAt}`;
    case 'waiting_for_retry':
      return `${attempt} failed (${error}); tried again at ${step.nextRetryAt}`;
    case 'error':
      return isTolerated(template)
        ? `failed for good at ${attempt}: ${error}; its batch goes on without it (${template.batchConfig?.failureStrategy})`
        : `failed for good at ${attempt}: ${error}; reset, resolve or complete it to go on`;
    case 'complete':
      return `completed at ${step.completedAt}`;
    case 'resolved_manually':
      return `was resolved by an operator at ${step.completedAt}`;
    case 'cancelled':
      return task.status === 'cancelled' || task.status === 'error'
        ? 'was cancelled with its task'
        : 'was cancelled when another worker of its batch failed (fail_fast)';
    case 'enqueued_for_orchestration':
    case 'enqueued_as_error_for_orchestration':
      return 'its result is being recorded';
  }
}

function list(names: string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}

function summaryOf(task: Task, steps: StepExplanation[], reason: string | null): string {
  const of = (state: string) => steps.filter((step) => step.state === state).map((step) => step.step);
  if (task.status === 'complete') {
    const left = ['error', 'cancelled'].filter((state) => of(state).length > 0);
    if (left.length === 0) return `is complete: all ${task.totalSteps} steps are done`;
    const told = left.map((state) => `${list(of(state))} ${state === 'error' ? 'failed' : 'cancelled'}`);
    return `is complete: ${task.completedSteps} of ${task.totalSteps} steps are done, its batches went on without the others: ${told.join('; ')}`;
  }
  if (task.status === 'cancelled') return 'was cancelled';
  if (task.status === 'error') return `was ended by its lifecycle: ${reason}`;
  if (task.status === 'waiting_for_retry') return `waits until ${list(of('waiting_for_retry'))} is tried again`;
  if (task.status === 'blocked_by_failures') {
    return `can't go on: ${list(of('error'))} failed for good; an operator must act`;
  }
  const running = of('in_progress');
  if (running.length > 0) return `goes on: ${list(running)} ${running.length === 1 ? 'runs' : 'run'}`;
  const ready = steps.find((step) => step.state === 'enqueued');
  return ready ? `${ready.step} ${ready.why}` : `is ${task.status}`;
}
