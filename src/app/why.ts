import type { Engine } from '../engine/engine.ts';
import type { Step, Task } from '../engine/task-view.ts';
import { covers } from '../registry/announcement.ts';

/** Why one step is where it is. */
export interface StepExplanation {
  step: string;
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
  const byName = new Map(steps.map((step) => [step.name, step]));
  const living = workers.filter((worker) => worker.living && worker.namespaces.includes(task.namespace));
  const explained = steps.map((step) => {
    const idx = graph.indexOf.get(step.name);
    const parents = idx === undefined ? [] : (template.steps[idx]?.dependencies ?? []);
    const open = parents.filter((parent) => !isDone(byName.get(parent)));
    const handler = template.steps[idx ?? -1]?.handler ?? { callable: step.callable };
    const able = living.filter((worker) => covers(worker.callables, handler));
    return explainStep(step, open, { living: living.map(nameOf), able: able.map(nameOf), byName });
  });
  return { task, summary: `${summaryOf(task, explained, reason)}${staleness(task)}`, steps: explained };
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

function isDone(step: Step | undefined): boolean {
  return step?.currentState === 'complete' || step?.currentState === 'resolved_manually';
}

interface Around {
  /** Workers of the namespace. */
  living: string[];
  /** Those that have the handler. */
  able: string[];
  byName: Map<string, Step>;
}

function explainStep(step: Step, open: string[], around: Around): StepExplanation {
  return {
    step: step.name,
    state: step.currentState,
    why: reasonOf(step, open, around),
    waitsFor: open,
    until: step.nextRetryAt,
    handler: step.callable,
    heldBy: step.currentState === 'in_progress' ? step.worker : null,
  };
}

function reasonOf(step: Step, open: string[], { living, able, byName }: Around): string {
  const attempt = `attempt ${step.attempts} of ${step.maxAttempts}`;
  const error = step.results?.error?.message;
  switch (step.currentState) {
    case 'pending': {
      const stuck = open.filter((parent) => byName.get(parent)?.currentState === 'error');
      return stuck.length > 0
        ? `waits for ${list(open)}; ${list(stuck)} failed, so it can't run until an operator acts on that`
        : `waits for ${list(open)}`;
    }
    case 'enqueued':
      if (living.length === 0) return 'is ready; no worker of its namespace lives: start one';
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
      return `failed for good at ${attempt}: ${error}; reset, resolve or complete it to go on`;
    case 'complete':
      return `completed at ${step.completedAt}`;
    case 'resolved_manually':
      return `was resolved by an operator at ${step.completedAt}`;
    case 'cancelled':
      return 'was cancelled with its task';
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
  if (task.status === 'complete') return `is complete: all ${task.totalSteps} steps are done`;
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
