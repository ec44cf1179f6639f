import type { Activation } from '../engine/activate-template.ts';
import type { Analytics, AnalyticsOptions } from '../engine/analytics/statistics.ts';
import { type AuditFilter, type AuditPage, type AuditPageOptions, findActs } from '../engine/audit.ts';
import type { Engine } from '../engine/engine.ts';
import type { Door, OperatorOptions } from '../engine/operate.ts';
import type { PauseResult, PauseTarget } from '../engine/pause.ts';
import type { EarlierRun, RerunOptions, TaskRerun } from '../engine/rerun/rerun.ts';
import type { PruneFilter } from '../engine/retention/plan.ts';
import type { PruneAct } from '../engine/retention/prune-act.ts';
import { RestoreAct, type RestoreOptions } from '../engine/retention/restore.ts';
import type { TaskFilter } from '../engine/search/filter.ts';
import { type Histogram, type HistogramOptions, histogramOf } from '../engine/search/histogram.ts';
import type { StepPage, StepPageOptions, TaskPage, TaskPageOptions } from '../engine/search/search.ts';
import type { Pause, Task } from '../engine/task-view.ts';
import { type ListOptions, readListOptions } from './list-options.ts';
import { type DrainedWorker, type DrainOptions, drainWorker, resumeWorker } from './overview/drain.ts';
import { listQueues, type QueueInfo, type QueueListOptions } from './overview/queues.ts';
import { statusOf, type TaskerStatus } from './overview/status.ts';
import { type SummaryOptions, summarizeTasks, type TaskSummary } from './overview/task-summary.ts';
import {
  getWorker,
  listWorkers,
  type WorkerDetails,
  type WorkerInfo,
  type WorkerListOptions,
} from './overview/workers.ts';
import { type PruneOptions, startPrune } from './retention.ts';
import { TaskerSchedules } from './schedules/tasker-schedules.ts';
import { TaskerBulk } from './tasker-bulk.ts';
import { TaskerDeadLetters } from './tasker-dead-letters.ts';
import { TaskerSignals } from './tasker-signals.ts';
import { type Explanation, explainTask } from './why.ts';

/** Methods for operators: find tasks, explain them, and act on them. {@link Tasker} inherits them. */
export abstract class TaskerOperations extends TaskerSignals {
  readonly #engine: Engine;
  /** The origin of this tasker's actions, for the audit. @internal */
  door: Door = 'library';
  /** Acts on many tasks or steps together. */
  readonly bulk: TaskerBulk;
  /** The tasks that need a person's attention. */
  readonly deadLetters: TaskerDeadLetters;
  /** The schedules, which create tasks at their due times. */
  readonly schedules: TaskerSchedules;

  /** @internal */
  constructor(engine: Engine) {
    super(engine);
    this.#engine = engine;
    const parts = {
      engine,
      by: (options: OperatorOptions) => this.by(options),
      changed: (taskUuid: string) => this.changed(taskUuid),
    };
    this.bulk = new TaskerBulk(parts);
    this.deadLetters = new TaskerDeadLetters(parts);
    this.schedules = new TaskerSchedules(parts);
  }

  /** The engine of this tasker, for tools of this package. @internal */
  get engine(): Engine {
    return this.#engine;
  }

  /** Explains why each step of a task is in its state, including its wait. */
  why(taskUuid: string): Promise<Explanation> {
    return explainTask(this.#engine, taskUuid);
  }

  /**
   * Finds tasks by many conditions and returns a page of them. Reads tables that are written after the commit, so
   * changes from the last second or two may be missing. The page contains the age of the oldest missing change.
   *
   * @example
   * const page = await tasker.listTasks({ status: 'blocked_by_failures', errorType: 'timeout', createdAfter: '2h' }, { limit: 20 });
   * console.log(page.total, page.tasks.map((task) => task.firstError?.message));
   * @throws TaskerError `bad_request`, `invalid_uuid`
   */
  listTasks(filter: TaskFilter, page: TaskPageOptions): Promise<TaskPage>;
  /** Returns tasks, newest first. */
  listTasks(options?: ListOptions): Promise<Task[]>;
  async listTasks(filter: ListOptions | TaskFilter = {}, page?: TaskPageOptions): Promise<Task[] | TaskPage> {
    if (page) return this.#engine.findTasks(filter as TaskFilter, page);
    return this.#engine.listTasks(readListOptions(filter as ListOptions));
  }

  /**
   * Finds steps that are ready, running, waiting for a retry, failed or resolved by hand, in all tasks. The conditions on
   * steps apply to the step itself, and all others to its task.
   *
   * @example
   * const { steps } = await tasker.listSteps({ stepState: 'in_progress', handler: 'charge' }, { limit: 20 });
   * console.log(steps.map((step) => `${step.taskUuid} ${step.name} on ${step.worker} since ${step.since}`));
   * @throws TaskerError `bad_request`, `invalid_uuid`
   */
  listSteps(filter: TaskFilter = {}, page: StepPageOptions = {}): Promise<StepPage> {
    return this.#engine.findSteps(filter, page);
  }

  /**
   * Counts tasks by template and state, and groups the causes that block them. Failed steps and steps that wait for a
   * retry are grouped by template, step, error type and message pattern. Ready steps that no live worker can run are
   * another group. Each group has a filter that finds its tasks. A part that takes longer than a second is reduced or
   * omitted, and reported.
   *
   * @example
   * const { failed } = await tasker.summarizeTasks({ namespace: 'shop' }, { endedSince: '24h' });
   * for (const { count, step, errorType, pattern, filter } of failed.groups) {
   *   console.log(`${count} × ${step}: ${errorType} ${pattern}`, (await tasker.listTasks(filter, {})).total);
   * }
   * @throws TaskerError `bad_request`, `invalid_uuid`
   */
  summarizeTasks(filter: TaskFilter = {}, options?: SummaryOptions): Promise<TaskSummary> {
    return summarizeTasks(this.#engine, filter, options);
  }

  /** Counts tasks or failed steps by time. @internal */
  taskHistogram(filter: TaskFilter, options: HistogramOptions): Promise<Histogram> {
    return histogramOf(this.#engine.database, filter, options);
  }

  /**
   * Returns the state of the installation: workers, the queue of each namespace, open tasks, counts of problems that
   * need a person, and rates over the last minutes. Large numbers are counted only up to a limit, so the time is
   * bounded.
   *
   * @example
   * const { attention, queues } = await tasker.status();
   * if (attention.unserved > 0) console.log(queues.filter((queue) => queue.unserved > 0));
   */
  status(): Promise<TaskerStatus> {
    return statusOf(this.#engine);
  }

  /**
   * Returns statistics: the tasks and attempts that ended in a window of time, by template and step, with their success
   * rates, durations and queueing times. Counts, sums, minima and maxima are exact; percentiles are off by at most 5 %.
   * The duration does not depend on the number of tasks.
   *
   * @example
   * const { tasks, slowSteps } = await tasker.analytics({ namespace: 'shop', since: '24h' });
   * console.log(`${tasks.ended} tasks ended, ${tasks.failed} in error`);
   * for (const { step, queueing, duration } of slowSteps) console.log(step, queueing.p95Ms, duration.p95Ms);
   * @throws TaskerError `bad_request`; `template_not_found` or `step_not_found` if nothing with that name is registered
   */
  analytics(options: AnalyticsOptions = {}): Promise<Analytics> {
    return this.#engine.readAnalytics(options);
  }

  /** Cancels a task, and fires the signal of its running handlers. Returns false if the task had already ended. */
  cancelTask(taskUuid: string, options?: OperatorOptions): Promise<boolean> {
    return this.#acting(taskUuid, () => this.#engine.cancelTask(taskUuid, this.by(options)));
  }

  /**
   * Ends a task by hand as `resolved_manually`: its work was done elsewhere. Its open steps are cancelled, and the signal
   * of its running handlers fires. Returns false if the task had already ended.
   */
  resolveTask(taskUuid: string, options?: OperatorOptions): Promise<boolean> {
    return this.#acting(taskUuid, () => this.#engine.resolveTask(taskUuid, this.by(options)));
  }

  /**
   * Deletes a task that has ended, with its steps, results, history and identity. Its entries in the audit stay, and
   * its domain events stay until `events.retention_days`, because they may still have to be delivered. If the task was
   * pruned, releases the identity that is still reserved.
   * @throws TaskerError `illegal_transition` if the task has not ended or is in the dead letters, `task_not_found`,
   * `invalid_uuid`
   */
  deleteTask(taskUuid: string, options?: OperatorOptions): Promise<void> {
    return this.#acting(taskUuid, () => this.#engine.deleteTask(taskUuid, this.by(options)));
  }

  /**
   * Retries the failed steps of a task, and its steps that wait for a retry, like {@link retryStep}. Returns their
   * names.
   *
   * @example
   * const steps = await tasker.retryTask(taskUuid, { actor: 'anna', reason: 'the bank is back' });
   * console.log(`runs again: ${steps.join(', ')}`);
   *
   * @throws TaskerError `illegal_transition` if there is no such step, `task_not_found`, `invalid_uuid`
   */
  retryTask(taskUuid: string, options?: OperatorOptions): Promise<string[]> {
    return this.#acting(taskUuid, () => this.#engine.retryTask(taskUuid, this.by(options)));
  }

  /**
   * Retries a step. A step in `error` returns to the queue with its full number of attempts. A step that waits for a
   * retry becomes ready immediately, with its remaining attempts.
   * @throws TaskerError `illegal_transition` if the step is in another state
   */
  retryStep(taskUuid: string, step: string, options?: OperatorOptions): Promise<void> {
    return this.#acting(taskUuid, () => this.#engine.retryStep({ taskUuid, step }, this.by(options)));
  }

  /** Like {@link retryStep}, for steps in `error` only. */
  resetStep(taskUuid: string, step: string, options?: OperatorOptions): Promise<void> {
    return this.#acting(taskUuid, () => this.#engine.resetStep({ taskUuid, step }, this.by(options)));
  }

  /** Resolves a step by hand, with or without a result. The task continues. */
  resolveStep(taskUuid: string, step: string, options?: OperatorOptions & { result?: unknown }): Promise<void> {
    return this.#acting(taskUuid, () => this.#engine.resolveStep({ taskUuid, step }, this.by(options)));
  }

  /**
   * Completes a step by hand with a result, or corrects the result of a completed step. `metadata` is kept in the history
   * and the audit.
   */
  completeStep(
    taskUuid: string,
    step: string,
    options?: OperatorOptions & { result?: unknown; metadata?: Record<string, unknown> },
  ): Promise<void> {
    return this.#acting(taskUuid, () => this.#engine.completeStep({ taskUuid, step }, this.by(options)));
  }

  /**
   * Returns the actions of operators and lifecycles on tasks and other objects: who acted, when, why, on what, and how
   * the state changed. Newest first. The entries outlive their tasks (`audit.retention_days`).
   *
   * @example
   * const { entries } = await tasker.audit({ actor: 'anna', action: 'cancel', after: '24h' }, { limit: 100 });
   * for (const { at, taskUuid, reason } of entries) console.log(at, taskUuid, reason);
   * @throws TaskerError `bad_request`, `invalid_uuid`
   */
  audit(filter: AuditFilter = {}, page: AuditPageOptions = {}): Promise<AuditPage> {
    return findActs(this.#engine.database, filter, page);
  }

  /** Returns the options of an action, with its origin (`door`). */
  protected override by<Options extends OperatorOptions>(options?: Options): Options & OperatorOptions {
    return { door: this.door, ...options } as Options & OperatorOptions;
  }

  /**
   * Runs a task again from a step: that step and everything that waited for it. The results of the steps before it are
   * kept. The replaced results stay readable (see {@link getEarlierRuns}). A task that has ended is reopened, and steps
   * that were cancelled with it continue.
   *
   * If these steps include decisions and analyzers, the steps that they created are removed, and created again
   * according to the new outcomes. The signal of running handlers fires, and their results are rejected.
   * `context.rerun` is the number of the run.
   *
   * @example
   * const { steps } = await tasker.rerunTask(taskUuid, { from: 'charge', dryRun: true });
   * if (steps.every((step) => step.retryable)) await tasker.rerunTask(taskUuid, { from: 'charge', actor: 'ana' });
   * @throws TaskerError `task_not_found`, `step_not_found`, `bad_request`; `illegal_transition` if a step before `from`
   * is not done
   */
  rerunTask(taskUuid: string, options: RerunOptions): Promise<TaskRerun> {
    return this.#acting(taskUuid, () => this.#engine.rerunTask(taskUuid, { ...options, ...this.by(options) }));
  }

  /**
   * Returns the earlier runs of a task's steps, with the results that reruns have dropped. Sorted by step, and then by
   * run, oldest first. Empty if the task never ran again.
   *
   * @example
   * const [first] = (await tasker.getEarlierRuns(taskUuid)).filter((run) => run.step === 'charge');
   * console.log(first?.result);
   * @throws TaskerError `task_not_found`, `invalid_uuid`
   */
  getEarlierRuns(taskUuid: string): Promise<EarlierRun[]> {
    return this.#engine.getEarlierRuns(taskUuid);
  }

  /**
   * Returns the ids of a task's copies, newest first, at most 100. The original is in `copyOf` of the copy.
   *
   * @example
   * const [newest] = await tasker.getCopies(taskUuid);
   * @throws TaskerError `invalid_uuid`
   */
  getCopies(taskUuid: string): Promise<string[]> {
    return this.#engine.copiesOf(taskUuid);
  }

  /**
   * Returns the live and the recently ended workers of all processes, by name.
   *
   * @example
   * for (const { name, state, running, concurrency } of await tasker.listWorkers({ namespace: 'shop' })) {
   *   console.log(`${name} ${state}: ${running} of ${concurrency} slots`);
   * }
   * @throws TaskerError `bad_request`
   */
  listWorkers(options?: WorkerListOptions): Promise<WorkerInfo[]> {
    return listWorkers(this.#engine, options);
  }

  /**
   * Returns a worker, by its name or id, with its running steps. If no live worker has the name, returns the last
   * worker that had it, until a day after it ended.
   * @throws TaskerError `worker_not_found`; `bad_request` if several live workers have the name
   */
  getWorker(worker: string | number): Promise<WorkerDetails> {
    return getWorker(this.#engine, worker);
  }

  /**
   * Asks a worker of any process on any machine to stop taking steps. Its running steps finish. Their children and all
   * other steps are left to other workers. The process stays alive, and the worker keeps draining until the process
   * ends or {@link resumeWorker} is called. With `wait`, resolves when the worker no longer holds steps, has stopped or
   * was lost.
   *
   * @example
   * const { worker, left } = await tasker.drainWorker('worker-7', { wait: true, timeoutMs: 60_000, reason: 'new kernel' });
   * if (left.length > 0) console.warn(`no other worker serves ${left.join(', ')}`);
   * @throws TaskerError `worker_not_found`; `bad_request` if several live workers have the name; `illegal_transition`
   * if it has ended; `timeout`
   */
  drainWorker(worker: string | number, options?: DrainOptions): Promise<DrainedWorker> {
    return drainWorker(this.#engine, worker, this.by(options));
  }

  /** Lets a worker that was drained take steps again. Throws the same errors as {@link drainWorker}. */
  resumeWorker(worker: string | number, options?: OperatorOptions): Promise<{ worker: WorkerInfo; changed: boolean }> {
    return resumeWorker(this.#engine, worker, this.by(options));
  }

  /**
   * Returns the queue of every namespace, served or not, by name: ready and running steps, waiting retries, and the
   * ready steps that no live worker can run.
   *
   * @example
   * for (const { namespace, ready, unservedSteps } of await tasker.queues()) console.log(namespace, ready, unservedSteps);
   * @throws TaskerError `bad_request` if the namespace does not exist
   */
  queues(options?: QueueListOptions): Promise<QueueInfo[]> {
    return listQueues(this.#engine, options);
  }

  /**
   * Makes a version of a template the active version, which requests without a version mean. The version is pinned:
   * registering a higher version does not replace it, until the next activation. `namespace/name@latest` makes the
   * highest registered version active, and ends the pin. Running tasks keep their template. Activating the active
   * version again changes nothing.
   *
   * @example
   * // After 1.1.0 was deployed and fails: new tasks use 1.0.0 again.
   * await tasker.activateTemplate('shop/fulfil@1.0.0', { actor: 'ann', reason: 'charges twice' });
   * @throws TaskerError `bad_request`, `template_not_found`, `timeout` if a transaction that creates a task of the
   * template stays open for ten seconds
   */
  activateTemplate(template: string, options?: OperatorOptions): Promise<Activation> {
    return this.#engine.activateTemplate(template, this.by(options));
  }

  /**
   * Pauses a task, a template or a namespace. Running steps finish and are recorded. Once the call has returned, no
   * process starts a step that the pause covers. New tasks are accepted, and their steps wait. Retries become due and
   * wait. Only the limits of a template's `lifecycle` exclude the paused time. Pauses of a task, its template and its
   * namespace are independent: a step starts once none is in force. Pausing a paused target changes nothing.
   *
   * @example
   * await tasker.pause({ template: 'shop/fulfil' }, { actor: 'ann', reason: 'the carrier is down' });
   * await tasker.resume({ template: 'shop/fulfil' }, { actor: 'ann' });
   * @throws TaskerError `task_not_found`, `template_not_found`, `namespace_not_found`, `illegal_transition` for a task
   * that has ended, `timeout` if an open transaction keeps the queue locked for 90 seconds; the pause is stored
   * nevertheless
   */
  pause(target: PauseTarget, options?: OperatorOptions): Promise<PauseResult> {
    return this.#engine.pause(target, this.by(options));
  }

  /**
   * Ends the pause of a task, a template or a namespace. Its steps can start, unless another pause covers them: see
   * `others` of the result. Resuming a target that is not paused changes nothing.
   *
   * @throws TaskerError `task_not_found`, `template_not_found`, `namespace_not_found`, `timeout`
   */
  resume(target: PauseTarget, options?: OperatorOptions): Promise<PauseResult> {
    return this.#engine.resume(target, this.by(options));
  }

  /**
   * Returns the pauses in force: first pauses of namespaces and templates, then pauses of tasks. `limit`: default 1000.
   */
  pauses({ limit = 1000 }: { limit?: number } = {}): Promise<Pause[]> {
    return this.#engine.listPauses(limit);
  }

  /**
   * Deletes tasks that ended long enough ago, with their steps, results and history, in small transactions while
   * workers run. By default, the prune works a tenth of the time and sleeps for the rest. Nothing is deleted before the
   * result is awaited or iterated over. Tasks are skipped while a subscriber group has not received all their events.
   *
   * With `archive`, tasks are written to files in this folder first: see {@link restoreArchive}. The identities stay
   * reserved, so a repeated request is a `conflict`, unless `releaseKeys` is set. Another prune with the same filter
   * continues a prune that was killed.
   *
   * @example
   * const prune = tasker.prune({ olderThan: '90d', status: 'complete' }, { archive: '/var/archive', reason: 'disk' });
   * for await (const { deleted } of prune) console.log(deleted);
   * const { files, reasons } = await prune.result();
   * @throws TaskerError `bad_request`; on iteration: `illegal_transition` if another prune is running,
   * `folder_not_writable`
   */
  prune(filter: PruneFilter, options?: PruneOptions): PruneAct {
    return startPrune(this.#engine, filter, this.by(options));
  }

  /**
   * Restores the tasks of an archive file, or some of them, under their ids, with their steps, results, history and
   * events. Existing tasks are not changed. No group of subscribers receives the events again. A retention policy
   * counts the age of a restored task from the restore. The templates of the tasks must be registered.
   *
   * @example
   * const { restored } = await tasker.restoreArchive(file, { tasks: [taskUuid], reason: 'audit' }).result();
   * @throws TaskerError `invalid_uuid`; on iteration: `bad_request` if the file is not an archive
   */
  restoreArchive(file: string, options?: RestoreOptions): RestoreAct {
    return new RestoreAct(this.#engine, file, this.by(options));
  }

  async #acting<T>(taskUuid: string, act: () => Promise<T>): Promise<T> {
    const result = await act();
    this.changed(taskUuid.toLowerCase());
    return result;
  }
}
