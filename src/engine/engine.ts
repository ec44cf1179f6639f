import { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import type { UserClient } from '../db/user-client.ts';
import { TaskerError } from '../errors.ts';
import { type Logger, silentLogger } from '../logging/logger.ts';
import { checkUuid, stepIndex } from '../model/ids.ts';
import { isStorableText } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';
import { UNNOTICED_LAG_MS } from '../model/search-lag.ts';
import { batchResults, batchWorkers } from '../store/batches.ts';
import { isSaved, loadCheckpoints, lockHeldStep, saveCheckpoint } from '../store/checkpoints.ts';
import { openOfList, parentOfTask } from '../store/child-tasks.ts';
import { type Claim, type Claimed, claimSteps } from '../store/claim-steps.ts';
import { type AdoptedStepRow, adoptSteps, findRecorded } from '../store/doubtful.ts';
import { firstStarts } from '../store/first-start.ts';
import {
  type ElementKey,
  elementResults,
  elementsAt,
  failedElements,
  listPage,
  listsOfTasks,
} from '../store/for-each.ts';
import { ENDINGS } from '../store/operator-actions.ts';
import { listNamespaces, listPauses } from '../store/pauses/list.ts';
import { endPausesOfEnded, forgetPauses } from '../store/pauses/pauses.ts';
import { PINNED_PLANS, QUEUE_ORDER } from '../store/planner.ts';
import { peek, type QueuePeek, queueDepths } from '../store/queue.ts';
import { laneOf } from '../store/queue-id.ts';
import {
  endedWithoutResult,
  findStep,
  getStep,
  getSteps,
  heldSteps,
  lastFailures,
  loadFailures,
  loadResults,
  stepNames,
} from '../store/read-steps.ts';
import type { OwnClaim } from '../store/record-steps.ts';
import { earlierSteps } from '../store/rerun.ts';
import { ping } from '../store/server/server-facts.ts';
import type { HeldKey, StepKey } from '../store/step-key.ts';
import { saveStepLogs, stepLogs } from '../store/step-logs.ts';
import {
  getHistory,
  getTasks,
  listTasks,
  prunedAt,
  type TaskFilter,
  type TaskRow,
  taskStates,
} from '../store/tasks.ts';
import { namespaceIds } from '../store/templates.ts';
import { isWaiting } from '../store/waits/is-waiting.ts';
import {
  announceCallables,
  announcedElsewhere,
  forgetWorkers,
  type Heartbeat,
  heartbeat,
  listWorkers,
  type NewWorker,
  registerWorker,
  type ServedNames,
  stopWorker,
  type WorkerReport,
} from '../store/workers.ts';
import { type Activation, activateTemplate } from './activate-template.ts';
import { AttemptCounter, type AttemptCounterOptions } from './analytics/attempt-counter.ts';
import { type Analytics, type AnalyticsOptions, readAnalytics } from './analytics/statistics.ts';
import { Announcements, CHANNEL_TAKEN, CHANNEL_WORKER } from './announcements.ts';
import { forgetOldActs } from './audit.ts';
import { checkQueue, type QueueCheck, type QueueSlice } from './check-queue.ts';
import { ChildTasks } from './child-tasks/child-tasks.ts';
import { familyOf, type TaskFamily } from './child-tasks/family.ts';
import { type ChildRefused, prepareChild, type StartingChild, type StartingStep } from './child-tasks/start.ts';
import { type KeyedParent, type KeyedStart, startKeyed } from './child-tasks/start-keyed.ts';
import { childrenOfUndos, prepareChildUndo, type UndoingChild } from './child-tasks/undo.ts';
import { type CreatedTask, createTasks, type InnerCreateOptions, type TaskRequest } from './create-task.ts';
import { type AddOptions, addTask, changeDeadLetters, type DeadLetterChange } from './dead-letters/change.ts';
import { type DeadLetterDetails, findDeadLetter } from './dead-letters/entries.ts';
import { type DeadLetterLook, type DeadLetterTurn, findStuckTasks } from './dead-letters/find-stuck.ts';
import { type Redrive, redrive } from './dead-letters/redrive.ts';
import { type Thresholds, watchOpenTasks } from './dead-letters/watch.ts';
import { type AskedWorker, askWorker } from './drain-worker.ts';
import { endStale, type LifecycleTurn } from './end-stale.ts';
import { EngineCounts } from './engine-counts.ts';
import { EventLog } from './events/log.ts';
import { DYNAMIC_LIMITS, type DynamicLimits } from './expansion.ts';
import { HttpWorkerSteps } from './http-workers/worker-steps.ts';
import { Admission } from './limits/admission.ts';
import { offerSteps, tidyMissing } from './missing-handlers.ts';
import {
  deleteTask,
  endTask,
  type OperatorOptions,
  resetStep,
  retryStep,
  retryTask,
  type SettleOptions,
  settleStep,
} from './operator-actions.ts';
import { changePause, type PauseResult, type PauseTarget, settle } from './pause.ts';
import type { RecordAnswer, Recording } from './record.ts';
import { record } from './record-batch.ts';
import type { Replica } from './replica.ts';
import { type CopyOptions, copiesOf, copyTask } from './rerun/copy-task.ts';
import { type EarlierRun, earlierRunView, type RerunOptions, rerunTask, type TaskRerun } from './rerun/rerun.ts';
import { Schedules } from './schedules/schedules.ts';
import type { TaskFilter as SearchFilter } from './search/filter.ts';
import { SearchProjector, type SearchProjectorOptions } from './search/projector.ts';
import {
  findSteps,
  findTasks,
  type StepPage,
  type StepPageOptions,
  type TaskPage,
  type TaskPageOptions,
} from './search/search.ts';
import { listWithoutTables, searchIsOff } from './search/without-tables.ts';
import { type AttemptLog, attemptLog } from './step-logs.ts';
import { ChangeFeed } from './streams/change-feed.ts';
import { promoteDue, type Swept, sweep, takeFrom, tidyQueue } from './sweep.ts';
import { tasksWithOutput } from './task-output.ts';
import { type HistoryEntry, historyView, type Step, stepView, type Task, taskView } from './task-view.ts';
import { withDetails } from './task-with-steps.ts';
import {
  hasLimits,
  precedesLimits,
  type Snapshot,
  TemplateStore,
  type TemplateStoreOptions,
} from './template-store.ts';
import { type TaskUndo, type UndoOptions, undoTask } from './undo/undo.ts';
import type { ReplacedTask } from './unique/admission.ts';
import { tidyTaskKeys } from './unique/tidy-keys.ts';
import { endDueWaits } from './waits/due.ts';
import { SignalInbox } from './waits/signal-inbox.ts';
import { rescheduleTask, startTaskNow } from './waits/start.ts';
import { fireTimer, moveTimer, newTimeOf, type TimerTime } from './waits/timers.ts';
import {
  completeByToken,
  extendByToken,
  failByToken,
  newToken,
  type TokenError,
  type TokenUse,
  type UsedToken,
} from './waits/tokens.ts';

/**
 * If the queue does not reflect a change of a pause after this time, the process that made the change has probably
 * died.
 */
const UNFINISHED_MS = 5_000;

/** A step, by its name or id and the id of its task. */
export interface StepReference {
  taskUuid: string;
  /** The step's name or its id. */
  step: string;
}

/** Options of an {@link Engine | engine}. */
export interface EngineOptions extends Partial<DynamicLimits>, Pick<TemplateStoreOptions, 'filesForHttpTemplates'> {
  search?: SearchProjectorOptions;
  analytics?: AttemptCounterOptions;
  /** A standby for lists and statistics. */
  replica?: Replica | undefined;
}

/** Settings for reads that callers wait for. Planning each call would cost more than running it. */
const READING = opening(PINNED_PLANS);
/** Settings for checks after a lost response. These checks wait as long as the lost transaction can keep its locks. */
const AFTER_LOST_ANSWER = opening({ lock_timeout: '30s' });
const CLAIMING = opening({ ...QUEUE_ORDER, synchronous_commit: 'off' });

/** How long to wait for the response to a statement. A timeout closes the connection, so a retry uses another one. */
export interface Patience {
  timeoutMs: number;
}

/** All operations that read or change tasks, as statements and transactions. Does not depend on HTTP or handlers. */
export class Engine {
  readonly database: Database;
  readonly templates: TemplateStore;
  /** Writes the tables that searches read. */
  readonly search: SearchProjector;
  /** Counts attempts and ended tasks for the statistics. */
  readonly analytics: AttemptCounter;
  /** Delivers the signals that callers sent in their own transactions. */
  readonly signalInbox: SignalInbox;
  readonly #replica: Replica | undefined;
  readonly #logger: Logger;
  readonly #count: EngineCounts;
  /** Announces committed changes. */
  readonly announce: Announcements;
  /** Delivers the ends of child tasks to the steps that wait for them. */
  readonly childTasks: ChildTasks;
  /** Lets steps with limits start. */
  readonly admission: Admission;
  /** The durable domain events, and the position of each group in the log. */
  readonly events: EventLog;
  /** The schedules, which create tasks at their due times. */
  readonly schedules: Schedules;
  /** The actions of workers over HTTP. */
  readonly httpWorkers: HttpWorkerSteps;
  /** Reads changes of tasks, for streams. */
  readonly changes: ChangeFeed;

  constructor(database: Database, logger: Logger, options: EngineOptions = {}) {
    const { search, analytics, replica, filesForHttpTemplates, ...limits } = options;
    this.#replica = replica;
    this.database = database;
    this.#logger = logger;
    this.#count = new EngineCounts(database.metrics.instruments);
    this.templates = new TemplateStore(database, logger, {
      limits: { ...DYNAMIC_LIMITS, ...limits },
      filesForHttpTemplates,
    });
    this.search = new SearchProjector(database, logger, search);
    this.analytics = new AttemptCounter(database, logger, analytics);
    this.signalInbox = new SignalInbox(this, logger);
    this.announce = new Announcements({
      database,
      logger,
      count: this.#count,
      search: this.search,
      analytics: this.analytics,
      changed: (taskUuids) => this.childTasks.changed(taskUuids),
      queued: () => {
        if (this.templates.anyLimits) this.admission.wake();
      },
    });
    this.childTasks = new ChildTasks(this, logger);
    this.admission = new Admission(this, logger);
    this.events = new EventLog(database, this.templates);
    this.schedules = new Schedules(this);
    this.httpWorkers = new HttpWorkerSteps(this);
    this.changes = new ChangeFeed(database, logger, this.search.log);
  }

  // ---- operations that run one statement

  readonly taskStates = this.#verb(taskStates);
  readonly isWaiting = this.#verb(isWaiting);
  readonly findRecorded = this.#verb(findRecorded);
  readonly loadResults = this.#verb(loadResults);
  readonly listsOfTasks = this.#verb(listsOfTasks);
  readonly listPage = this.#verb(listPage);
  readonly elementResults = this.#verb(elementResults);
  readonly failedElements = this.#verb(failedElements);
  readonly loadFailures = this.#verb(loadFailures);
  readonly lastFailures = this.#verb(lastFailures);
  readonly parentOf = this.#verb(parentOfTask);
  readonly endedWithoutResult = this.#verb(endedWithoutResult);
  readonly batchResults = this.#verb(batchResults);
  readonly held = this.#verb(heldSteps);
  readonly namespaceIds = this.#verb(namespaceIds);
  readonly announcedElsewhere = this.#verb(announcedElsewhere);
  readonly listWorkers = this.#verb(listWorkers);
  /** Deletes workers that ended long ago. */
  readonly forgetWorkers = this.#verb(forgetWorkers);
  readonly tidyQueue = this.#verb(tidyQueue);
  /** Deletes keys whose tasks have ended, and returns where the next call begins. */
  readonly tidyTaskKeys = this.#verb(tidyTaskKeys);
  readonly saveStepLogs = this.#verb(saveStepLogs);
  /** Deletes actions of the audit that are older than a number of milliseconds. */
  readonly forgetActs = this.#verb(forgetOldActs);
  readonly listNamespaces = this.#verb(listNamespaces);
  readonly listPauses = this.#verb(listPauses);
  /** Deletes pauses that ended long ago. */
  readonly forgetPauses = this.#verb(forgetPauses);

  #verb<Values extends unknown[], Answer>(run: (on: Database, ...values: Values) => Promise<Answer>) {
    return (...values: Values): Promise<Answer> => run(this.database, ...values);
  }

  // ---- for callers

  async createTasks(requests: readonly TaskRequest[], options?: InnerCreateOptions): Promise<CreatedTask[]> {
    const created = await this.#count.creation(() => createTasks(this.database, this.templates, requests, options));
    for (const { taskUuid } of created) {
      if (options?.client) this.search.createdLater(taskUuid);
      else this.search.changed(taskUuid);
    }
    if (created.some(({ snapshot }) => snapshot.hasLimits)) this.admission.wake();
    const replaced = created.flatMap((one) => one.replaced ?? []);
    if (!options?.client) await this.#announceReplaced(replaced);
    else for (const { taskUuid } of replaced) this.search.createdLater(taskUuid);
    return created;
  }

  /** Announces tasks that were cancelled because new tasks replace them. Fires the abort signals of their running steps. */
  async #announceReplaced(replaced: readonly Pick<ReplacedTask, 'taskUuid' | 'running'>[]): Promise<void> {
    if (replaced.length === 0) return;
    const tasks = replaced.map(({ taskUuid }) => taskUuid);
    const taken = replaced.flatMap(({ taskUuid, running }) => (running > 0 ? [taskUuid] : []));
    await this.announce.acts({ tasks, ended: { cancelled: tasks }, taken });
  }

  /** Returns one task. @throws TaskerError `task_not_found`, `invalid_uuid` */
  async getTask(taskUuid: string): Promise<Task> {
    return (await tasksWithOutput(this, [await this.#taskRow(taskUuid)]))[0]!;
  }

  async #taskRow(taskUuid: string): Promise<TaskRow> {
    const uuid = checkUuid(taskUuid, 'the task id');
    const [row] = await this.database.pipeline(READING, (tx) => getTasks(tx, [uuid]));
    if (row) return row;
    const at = await prunedAt(this.database, taskUuid.toLowerCase());
    throw new TaskerError('task_not_found', `task ${taskUuid} not found${at ? `; it was pruned at ${at}` : ''}`);
  }

  /** Returns the template snapshot of a task. @throws TaskerError `task_not_found`, `invalid_uuid` */
  async snapshotOf(taskUuid: string): Promise<Snapshot> {
    const { templateId } = await this.#taskRow(taskUuid);
    return (await this.templates.byIds([templateId])).get(templateId)!;
  }

  /** Returns several tasks. Unknown ids are omitted. */
  async getTasks(taskUuids: readonly string[]): Promise<Task[]> {
    return tasksWithOutput(this, await this.database.pipeline(READING, (tx) => getTasks(tx, taskUuids)));
  }

  async listTasks(filter: TaskFilter): Promise<Task[]> {
    if (filter.before !== null) checkUuid(filter.before, 'before');
    return (await listTasks(this.database, filter)).map(taskView);
  }

  /**
   * Finds tasks by many conditions; changes from the last second or two may be missing. @throws TaskerError
   * `bad_request`
   */
  findTasks(filter: SearchFilter, page: TaskPageOptions = {}): Promise<TaskPage> {
    return this.#listed((on) => (this.search.enabled ? findTasks : listWithoutTables)(on, filter, page));
  }

  /**
   * Reads a list from the replica, if there is one. The page's `lagMs` includes the delay of the replica. While the list is
   * behind, its total is not exact.
   */
  async #listed<Page extends Omit<TaskPage, 'tasks'>>(read: (on: Database) => Promise<Page>): Promise<Page> {
    const { answer: page, lagMs } = this.#replica
      ? await this.#replica.read(this.database, read)
      : { answer: await read(this.database), lagMs: 0 };
    page.lagMs += lagMs;
    if (page.lagMs > UNNOTICED_LAG_MS) page.totalIsExact = false;
    return page;
  }

  /** Finds steps of all tasks, like {@link findTasks}. @throws TaskerError `bad_request` */
  async findSteps(filter: SearchFilter, page: StepPageOptions = {}): Promise<StepPage> {
    if (!this.search.enabled) throw searchIsOff('a list of the steps of all tasks');
    return this.#listed((on) => findSteps(on, filter, page));
  }

  /** Returns the steps of a task. @throws TaskerError `task_not_found`, `invalid_uuid` */
  async getSteps(given: string): Promise<Step[]> {
    const taskUuid = checkUuid(given, 'the task id');
    const rows = await getSteps(this.database, taskUuid);
    if (rows.length === 0) await this.getTask(taskUuid);
    return withDetails(
      this.database,
      taskUuid,
      rows.map((row) => stepView(taskUuid, row)),
    );
  }

  /** Returns one step. @throws TaskerError `task_not_found`, `step_not_found`, `invalid_uuid` */
  async getStep(reference: StepReference): Promise<Step> {
    const { taskUuid, idx } = await this.#find(reference);
    const step = stepView(taskUuid, (await getStep(this.database, taskUuid, idx))!);
    return (await withDetails(this.database, taskUuid, [step]))[0]!;
  }

  /** Returns the history of a task, oldest first. */
  async getHistory(given: string): Promise<HistoryEntry[]> {
    const taskUuid = checkUuid(given, 'the task id');
    const rows = await getHistory(this.database, taskUuid);
    if (rows.length === 0) await this.getTask(taskUuid);
    return rows.map(historyView);
  }

  /** Returns the earlier runs of the steps of a task. @throws TaskerError `task_not_found`, `invalid_uuid` */
  async getEarlierRuns(given: string): Promise<EarlierRun[]> {
    const taskUuid = checkUuid(given, 'the task id');
    const rows = await earlierSteps(this.database, taskUuid);
    if (rows.length === 0) await this.getTask(taskUuid);
    return rows.map((row) => earlierRunView(taskUuid, row));
  }

  /**
   * Returns the log lines of a step's handler. @throws TaskerError `task_not_found`, `step_not_found`, `invalid_uuid`
   */
  async getStepLogs(reference: StepReference): Promise<AttemptLog[]> {
    const { taskUuid, idx } = await this.#find(reference);
    return (await stepLogs(this.database, taskUuid, idx)).map(attemptLog);
  }

  // ---- for workers

  /**
   * Claims ready steps. Times out after `timeoutMs`.
   * @throws InDoubtError if the worker may own the steps; find them by the token
   */
  async claim(claim: Claim, { timeoutMs }: Partial<Patience> = {}): Promise<Claimed> {
    const from = this.withLanes(claim);
    return this.claimed(() => this.database.pipeline({ ...CLAIMING, timeoutMs }, (tx) => claimSteps(tx, from)));
  }

  /** Counts a claim, and records its tasks for the search. */
  async claimed(run: () => Promise<Claimed>): Promise<Claimed> {
    const claimed = await this.#count.claim(run);
    for (const step of claimed.steps) this.search.changed(step.taskUuid);
    return claimed;
  }

  /**
   * Adds the lanes of namespaces whose templates have steps that wait. Without such namespaces, a claim runs the plain
   * statement.
   */
  withLanes(claim: Claim): Claim {
    const waiting = this.templates.namespacesWithWaits;
    if (waiting.size === 0) return claim;
    const lanes = claim.namespaceIds.filter((id) => waiting.has(id)).map(laneOf);
    return lanes.length === 0 ? claim : { ...claim, namespaceIds: [...claim.namespaceIds, ...lanes] };
  }

  /** Returns the steps of claims whose responses were lost. */
  async adopt(tokens: readonly number[]): Promise<AdoptedStepRow[]> {
    const steps = await adoptSteps(this.database, tokens);
    for (const step of steps) this.search.changed(step.taskUuid);
    return steps;
  }

  /** Counts the attempts and tasks that are not counted yet, and returns statistics. */
  async readAnalytics(options: AnalyticsOptions): Promise<Analytics> {
    await this.analytics.catchUp();
    const read = (on: Database) => readAnalytics(on, options, { withNow: this.search.enabled });
    return this.#replica ? (await this.#replica.read(this.database, read)).answer : read(this.database);
  }

  /** Records outcomes in one transaction: locks the tasks, adds steps, records, claims children. @throws InDoubtError */
  async record(batch: readonly Recording[], own: OwnClaim): Promise<RecordAnswer> {
    // A child with limits is not claimed, because it has to be admitted.
    const claims = batch.some((step) => precedesLimits(this.templates, step)) ? { ...own, freeSlots: 0 } : own;
    const recording = () => this.#count.recording(this.templates, batch, () => record(this, batch, claims));
    const answer = await this.search.changing(batch, recording);
    for (const task of answer.ended) this.search.writeSoon(task.taskUuid);
    this.analytics.noticed();
    if (batch.some(({ templateId }) => hasLimits(this.templates, templateId))) this.admission.wake();
    for (const taskUuid of answer.takenFrom) await this.announce.tell(CHANNEL_TAKEN, [taskUuid]);
    await this.#childrenStarted(batch.flatMap(({ child }, i) => (child && !answer.refused.includes(i) ? [child] : [])));
    const undone = childrenOfUndos(batch.filter((_, i) => !answer.refused.includes(i)));
    if (undone.length > 0) {
      this.childTasks.started();
      this.childTasks.changed(undone);
    }
    return answer;
  }

  /** Prepares the child task of a step. The recording of the step's wait creates it. @throws ChildRefused */
  prepareChild(step: StartingStep): ReturnType<typeof prepareChild> {
    return prepareChild(this, step);
  }

  /** Prepares the wait for the undo of a child task. The recording of the wait links both. @throws ChildRefused */
  prepareChildUndo(step: UndoingChild): ReturnType<typeof prepareChildUndo> {
    return prepareChildUndo(this.database, step);
  }

  /**
   * Starts child tasks from the handler of a running step. Returns their ids, or the refusals. The keys must differ.
   * @throws TaskerError `step_taken_away` if the step was lost; no child is started
   */
  async startKeyed(step: KeyedParent, starts: readonly KeyedStart[]): Promise<(string | ChildRefused)[]> {
    const results = await startKeyed(this, step, starts);
    await this.#childrenStarted(results.flatMap((result) => ('child' in result && result.child ? [result.child] : [])));
    return results.map((result) => (result instanceof Error ? result : result.taskUuid));
  }

  async #childrenStarted(children: readonly StartingChild[]): Promise<void> {
    if (children.length === 0) return;
    this.childTasks.started();
    this.#count.created(children);
    for (const { task } of children) this.search.changed(task.taskUuid);
    await this.announce.work(Math.min(...children.map(({ task }) => task.rank)));
  }

  /** Loads the parts of batch workers, elements of lists, the checkpoints of restarted steps, and when the first attempts of others started. */
  async details({
    workers,
    restarted,
    timed,
    elements,
  }: Record<'workers' | 'restarted' | 'timed', readonly StepKey[]> & { elements: readonly ElementKey[] }) {
    const [parts, checkpoints, starts, ofLists] = await Promise.all([
      workers.length > 0 ? batchWorkers(this.database, workers) : [],
      restarted.length > 0 ? loadCheckpoints(this.database, restarted) : [],
      timed.length > 0 ? firstStarts(this.database, timed) : new Map<number, number>(),
      elements.length > 0 ? elementsAt(this.database, elements) : [],
    ]);
    return { parts, checkpoints, starts, elements: ofLists };
  }

  /** Saves a checkpoint. Returns false, and saves nothing, if the claim of the step was lost. */
  saveCheckpoint(step: HeldKey, data: string, { timeoutMs }: Patience): Promise<boolean> {
    return saveCheckpoint(this.database.within(timeoutMs), step, data);
  }

  /**
   * Runs a transaction of a handler. Its rows and its checkpoint commit together, and only while the worker holds the
   * step.
   * @throws TaskerError `step_taken_away` if the step was lost; nothing is written
   */
  transactionOfStep<T>(
    step: HeldKey,
    work: (client: UserClient) => Promise<{ value: T; checkpoint: string | undefined }>,
  ): Promise<T> {
    return this.database.userTransactions.run(async ({ client, db }) => {
      const { value, checkpoint } = await work(client);
      const held = await (checkpoint === undefined ? lockHeldStep(db, step) : saveCheckpoint(db, step, checkpoint));
      if (held) return value;
      throw new TaskerError(
        'step_taken_away',
        'the step was taken from this worker in the meantime, so its transaction was rolled back; nothing was written',
      );
    });
  }

  /** Creates the token by which another system completes a running step. Undefined if the step was lost. */
  saveToken(step: HeldKey, { timeoutMs }: Patience): Promise<string | undefined> {
    return newToken(this.database.within(timeoutMs), step);
  }

  /**
   * Returns whether a transaction of a handler that saved `data` was committed, after the response to its commit was
   * lost.
   */
  wasSaved(step: HeldKey, data: string): Promise<boolean> {
    return this.database.transaction(AFTER_LOST_ANSWER, (tx) => isSaved(tx, step, data));
  }

  /** Checks the queue, and returns when a retry or a wait is due. */
  async peek(ids: readonly number[], { timeoutMs }: Patience): Promise<QueuePeek> {
    const found = await peek(this.database.within(timeoutMs), ids);
    // Templates with steps that wait may have been registered by other processes.
    for (const id of found.namespacesWithWaits) this.templates.namespacesWithWaits.add(id);
    if (found.hasSignals) void this.signalInbox.use();
    if (found.hasLimits) this.templates.anyLimits = true;
    return found;
  }

  /** Returns the number of unclaimed ready steps by namespace, counted up to 100,000. */
  queueDepths(namespaces: readonly string[], { timeoutMs }: Patience): Promise<Map<string, number>> {
    return queueDepths(this.database.within(timeoutMs), namespaces);
  }

  /** Registers a worker. Times out after the lease, because a later response would be useless. */
  registerWorker(worker: NewWorker): Promise<number> {
    return registerWorker(this.database.apart(worker.leaseMs), worker);
  }

  /** Updates what a worker announces. Returns false if the worker was declared dead. */
  announceCallables(served: ServedNames, { timeoutMs }: Patience): Promise<boolean> {
    return announceCallables(this.database.apart(timeoutMs), served);
  }

  /** Gives the steps of missing handlers to live workers that announce them. Call it after an announcement. */
  async offerSteps(): Promise<void> {
    const { steps, rank } = await offerSteps(this.database);
    if (steps > 0) await this.announce.work(rank ?? 0);
  }

  /** Removes cancelled steps from the part of the queue for missing handlers, and handlers that no step needs. */
  readonly tidyMissing = this.#verb(tidyMissing);

  /**
   * Sends a heartbeat. Times out early enough for another heartbeat before the lease expires. Does not use the
   * connection pool.
   */
  heartbeat(ids: readonly number[], leaseMs: number, report?: WorkerReport): Promise<Heartbeat> {
    return heartbeat(this.database.apart(leaseMs / 3), ids, leaseMs, report);
  }

  stopWorker(id: number, { timeoutMs }: Patience): Promise<void> {
    return stopWorker(this.database.apart(timeoutMs), id);
  }

  /** Checks that the database responds. Does not wait for the pool, and only briefly for a silent connection. */
  ping({ timeoutMs }: Patience): Promise<void> {
    return ping(this.database.apart(timeoutMs));
  }

  /** Like {@link ping}, on a new connection, so that no heartbeat waits for it. */
  async probe({ timeoutMs }: Patience): Promise<void> {
    const limits = { poolSize: 1, acquireTimeoutMs: timeoutMs, statementTimeoutMs: timeoutMs };
    const database = Database.lazily({ ...this.database.reach, ...limits, logger: silentLogger });
    try {
      await ping(database);
    } finally {
      void database.close();
    }
  }

  /** Reclaims the steps of lost workers. After a restart of the server, every worker first has `leaseMs` to reconnect. */
  async sweep(leaseMs: number): Promise<Swept> {
    return this.#announceSwept(await sweep(this, leaseMs));
  }

  /** Takes steps that a live worker no longer lists. */
  async takeFrom(lost: readonly HeldKey[], workerId: number): Promise<Swept> {
    return this.#announceSwept(await takeFrom(this, lost, workerId));
  }

  async #announceSwept(swept: Swept): Promise<Swept> {
    this.#count.swept(swept);
    for (const step of swept.steps) this.search.changed(step.taskUuid);
    for (const task of swept.ended) this.search.writeSoon(task.taskUuid);
    if (swept.steps.length > 0) this.analytics.noticed();
    if (swept.takenFrom.length > 0) await this.announce.tell(CHANNEL_TAKEN, swept.takenFrom);
    if (swept.queued > 0) await this.announce.work();
    if (swept.eventsStored) await this.announce.events();
    const blocked = swept.steps.filter((step) => step.taskState === 'blocked_by_failures');
    const ended = new Set([...blocked, ...swept.ended].map((row) => row.taskUuid));
    if (ended.size > 0) await this.announce.ended([...ended]);
    return swept;
  }

  /** Queues the retries and ends the waits that are due. Returns their number. */
  async promoteDue(): Promise<number> {
    const promoted = await promoteDue(this.database, (taskUuid) => this.search.changed(taskUuid));
    this.#count.on.stepsEnqueued.add(promoted);
    return promoted + (await this.endDueWaits());
  }

  /** Ends the waits that are due, and returns their number. */
  async endDueWaits(): Promise<number> {
    let count = 0;
    await endDueWaits(this, async ({ ended, failed }) => {
      count += ended.length;
      await this.announce.waits(ended);
      for (const { wait, error } of failed) {
        this.#logger.error({ ...wait, err: error }, 'due wait could not be ended; retrying later');
      }
    });
    return count;
  }

  /** Ends or notes the tasks that exceed a limit of their template's lifecycle, and notifies other processes. */
  async *endStale(): AsyncGenerator<LifecycleTurn> {
    for await (const turn of this.#count.looking(endStale(this.database))) {
      for (const task of turn.ended) this.search.writeSoon(task.taskUuid);
      if (turn.ended.length > 0) this.analytics.noticed();
      if (turn.running.length > 0) await this.announce.tell(CHANNEL_TAKEN, turn.running);
      if (turn.ended.length > 0) await this.announce.ended(turn.ended.map((task) => task.taskUuid));
      yield turn;
    }
  }

  /** Checks the dead letters: closes entries of tasks that make progress again, and adds blocked tasks. */
  findStuckTasks(options: Partial<DeadLetterLook> = {}): AsyncGenerator<DeadLetterTurn> {
    return this.#count.deadLetters(findStuckTasks(this.database, { searchable: this.search.enabled, ...options }));
  }

  /** Applies the thresholds of the configuration to open tasks. */
  watchOpenTasks(thresholds: Thresholds): AsyncGenerator<number> {
    return watchOpenTasks(this.database, thresholds);
  }

  /**
   * In a slice of the open tasks, queues the ready steps that are missing from the queue. Undefined if it is another
   * worker's turn.
   */
  async checkQueue(slice: QueueSlice): Promise<QueueCheck | undefined> {
    const checked = await checkQueue(this.database, slice);
    if (checked && checked.requeued.length > 0) {
      this.#count.on.stepsRequeued.add(checked.requeued.length);
      await this.announce.work();
    }
    return checked;
  }

  // ---- actions of operators

  async cancelTask(given: string, options: OperatorOptions = {}): Promise<boolean> {
    const taskUuid = checkUuid(given, 'the task id');
    return this.#endTask(taskUuid, 'cancel', options);
  }

  /** Cancels a child task that no step waits for, unless it is being undone. */
  cancelChild(taskUuid: string, options: OperatorOptions): Promise<boolean> {
    return this.#endTask(taskUuid, 'cancel', options, { unlessUndone: true });
  }

  /** Ends a task by hand as resolved. Returns false if it had already ended. */
  async resolveTask(given: string, options: OperatorOptions = {}): Promise<boolean> {
    return this.#endTask(checkUuid(given, 'the task id'), 'resolve', options);
  }

  async #endTask(
    taskUuid: string,
    action: keyof typeof ENDINGS,
    options: OperatorOptions,
    { unlessUndone = false } = {},
  ): Promise<boolean> {
    const ended = await this.#noting(taskUuid, endTask(this, { taskUuid, action, unlessUndone }, options));
    if (!ended) return false;
    const state = ended.undo?.state ?? ENDINGS[action];
    await this.announce.acts({
      tasks: [taskUuid],
      ended: state === 'undoing' ? {} : { [state]: [taskUuid] },
      queued: (ended.undo?.queued ?? 0) > 0,
      taken: ended.running > 0 ? [taskUuid] : [],
    });
    return true;
  }

  /** Deletes a task that has ended. */
  async deleteTask(given: string, options: OperatorOptions = {}): Promise<void> {
    const taskUuid = checkUuid(given, 'the task id');
    await this.#noting(taskUuid, deleteTask(this.database, taskUuid, options));
    await this.announce.acts({ tasks: [taskUuid] });
  }

  /** Retries a step that failed or waits for a retry. */
  async retryStep(reference: StepReference, options: OperatorOptions = {}): Promise<void> {
    const step = await this.#find(reference);
    await this.#noting(step.taskUuid, retryStep(this, step, options));
    await this.announce.acts({ tasks: [step.taskUuid], queued: true });
  }

  /** Retries the steps of a task that failed or wait for a retry, and returns their names. */
  async retryTask(given: string, options: OperatorOptions = {}): Promise<string[]> {
    const taskUuid = checkUuid(given, 'the task id');
    const steps = await this.#noting(taskUuid, retryTask(this, taskUuid, options));
    await this.announce.acts({ tasks: [taskUuid], queued: true });
    const names = await stepNames(this.database, taskUuid);
    return steps.map((idx) => names.get(idx) ?? String(idx));
  }

  /** Completes a timer step now. */
  async fireTimer(reference: StepReference, options: OperatorOptions = {}): Promise<void> {
    const step = await this.#find(reference);
    await this.announce.waits([await this.#noting(step.taskUuid, fireTimer(this, step, options))]);
  }

  /** Changes the time at which a timer step ends, and returns it. */
  async moveTimer(reference: StepReference, until: TimerTime, options: OperatorOptions = {}): Promise<string> {
    const at = newTimeOf(until, 'the time of the timer');
    const step = await this.#find(reference);
    const moved = await this.#noting(step.taskUuid, moveTimer(this, step, at, options));
    await this.announce.due(moved);
    return moved;
  }

  /** Starts a task now instead of at its start time. */
  async startTaskNow(given: string, options: OperatorOptions = {}): Promise<void> {
    const taskUuid = checkUuid(given, 'the task id');
    await this.announce.waits([await this.#noting(taskUuid, startTaskNow(this, taskUuid, options))]);
  }

  /** Changes the time at which a task begins, and returns it. */
  async rescheduleTask(given: string, at: TimerTime, options: OperatorOptions = {}): Promise<string> {
    const taskUuid = checkUuid(given, 'the task id');
    const time = newTimeOf(at, 'the start');
    const moved = await this.#noting(taskUuid, rescheduleTask(this, taskUuid, { ...options, time }));
    await this.announce.due(moved);
    return moved;
  }

  async completeByToken(token: string, result: unknown): Promise<TokenUse> {
    return this.#usedToken(await completeByToken(this, token, result));
  }

  async failByToken(token: string, error: string | TokenError): Promise<TokenUse> {
    return this.#usedToken(await failByToken(this, token, error));
  }

  async #usedToken({ ended, ...use }: UsedToken): Promise<TokenUse> {
    await this.announce.waits([ended]);
    return use;
  }

  /** Extends the wait of a token, and returns its new limit. */
  extendByToken(token: string, timeoutMs: number): Promise<string> {
    return extendByToken(this, token, timeoutMs);
  }

  async resetStep(reference: StepReference, options: OperatorOptions = {}): Promise<void> {
    const step = await this.#find(reference);
    await this.#noting(step.taskUuid, resetStep(this, step, options));
    await this.announce.work();
  }

  /** Runs a task again from a step. Fires the abort signals of the running steps that the rerun covers. */
  async rerunTask(given: string, options: RerunOptions): Promise<TaskRerun> {
    const taskUuid = checkUuid(given, 'the task id');
    const { running, rank, ...rerun } = await this.#noting(taskUuid, rerunTask(this, taskUuid, options));
    if (rerun.dryRun) return rerun;
    await this.announce.work(rank);
    if (running > 0) await this.announce.tell(CHANNEL_TAKEN, [taskUuid]);
    return rerun;
  }

  /** Undoes a task. Fires the abort signals of its running steps. */
  async undoTask(given: string, options: UndoOptions): Promise<TaskUndo> {
    return this.#undo(checkUuid(given, 'the task id'), options);
  }

  /** Begins the undo of a child task, even if there is nothing to undo in it. @throws TaskerError like `undoTask` */
  async undoChild(taskUuid: string, options: OperatorOptions): Promise<void> {
    await this.#undo(taskUuid, options, { evenIfEmpty: true });
  }

  async #undo(taskUuid: string, options: UndoOptions, { evenIfEmpty = false } = {}): Promise<TaskUndo> {
    const undoing = undoTask(this, taskUuid, { ...options, evenIfEmpty });
    const { running, queued, rank, ...undo } = await this.#noting(taskUuid, undoing);
    if (undo.dryRun) return undo;
    if (queued > 0) await this.announce.work(rank);
    if (running > 0) await this.announce.tell(CHANNEL_TAKEN, [taskUuid]);
    if (undo.status === 'undone') await this.announce.ended([taskUuid]);
    return undo;
  }

  /** Creates a copy of a task, and links it to the original. */
  async copyTask(given: string, options: CopyOptions = {}): Promise<CreatedTask> {
    const taskUuid = checkUuid(given, 'the task id');
    const [copy] = await this.#count.creation(async () => [await copyTask(this, taskUuid, options)]);
    this.search.writeSoon(copy!.taskUuid);
    if (copy!.replaced) await this.#announceReplaced([copy!.replaced]);
    return copy!;
  }

  /** Returns the parent and the child tasks of a task. @throws TaskerError `task_not_found`, `invalid_uuid` */
  async getChildTasks(taskUuid: string): Promise<TaskFamily> {
    const { taskUuid: id } = await this.#taskRow(taskUuid);
    return familyOf(this.database, id);
  }

  /** Returns the children whose ends a step still waits for, oldest first. */
  async openOfList(reference: StepReference): Promise<string[]> {
    return openOfList(this.database, await this.#find(reference));
  }

  /** Returns the ids of the copies of a task, newest first, at most 100. @throws TaskerError `invalid_uuid` */
  async copiesOf(taskUuid: string): Promise<string[]> {
    return copiesOf(this, checkUuid(taskUuid, 'the task id'));
  }

  /** Adds a task to the dead letters, and returns the entry. */
  async addDeadLetter(taskUuid: string, options: AddOptions = {}): Promise<DeadLetterDetails> {
    const id = await addTask(this.database, taskUuid, options);
    this.#count.on.deadLettersAdded.add();
    return findDeadLetter(this.database, id);
  }

  /** Changes dead letters, and returns their number. */
  async changeDeadLetters(
    ids: string | readonly string[],
    change: DeadLetterChange,
    options: OperatorOptions = {},
  ): Promise<number> {
    const { changed, seconds } = await changeDeadLetters(this.database, ids, change, options);
    this.#count.deadLettersClosed(seconds);
    return changed;
  }

  /** Lets a task of the dead letters run again, and closes its entry. */
  async redrive(id: string, options: OperatorOptions = {}): Promise<Redrive> {
    const { seconds, ...done } = await redrive(this, id, options);
    this.#count.deadLettersClosed(seconds);
    await this.announce.acts({ tasks: [done.taskUuid], queued: true });
    return done;
  }

  resolveStep(reference: StepReference, options: OperatorOptions & { result?: unknown } = {}): Promise<void> {
    return this.#settle(reference, { ...options, action: 'resolve' });
  }

  completeStep(
    reference: StepReference,
    options: OperatorOptions & Pick<SettleOptions, 'result' | 'metadata'> = {},
  ): Promise<void> {
    return this.#settle(reference, { ...options, action: 'complete' });
  }

  async #settle(reference: StepReference, options: SettleOptions): Promise<void> {
    const step = await this.#find(reference);
    const taskState = await this.#noting(step.taskUuid, settleStep(this, step, options));
    if (taskState === 'steps_in_process' || taskState === 'undoing') await this.announce.work();
    await this.announce.tell(CHANNEL_TAKEN, [step.taskUuid]);
    await this.announce.ended([step.taskUuid]);
  }

  /**
   * Marks a task as changed for the search even if the response to the action is lost, because the action may have been
   * committed.
   */
  async #noting<T>(taskUuid: string, act: Promise<T>): Promise<T> {
    try {
      return await act;
    } finally {
      this.search.writeSoon(taskUuid);
      this.analytics.noticed();
    }
  }

  /** Makes a version of a template the active version. */
  activateTemplate(template: string, options: OperatorOptions = {}): Promise<Activation> {
    return activateTemplate(this, template, options);
  }

  /** Pauses a task, a template or a namespace. Once it returns, no step that the pause covers can start. */
  pause(target: PauseTarget, options: OperatorOptions = {}): Promise<PauseResult> {
    return this.#changePause(target, { action: 'pause', options });
  }

  resume(target: PauseTarget, options: OperatorOptions = {}): Promise<PauseResult> {
    return this.#changePause(target, { action: 'resume', options });
  }

  async #changePause(target: PauseTarget, change: Parameters<typeof changePause>[2]): Promise<PauseResult> {
    const { rank, ...result } = await changePause(this, target, change);
    if (result.scope === 'task') this.search.writeSoon(result.target);
    if (change.action === 'resume' && result.steps > 0) await this.announce.work(rank ?? 0);
    return result;
  }

  /** Completes pauses whose process died, and ends the pauses of tasks that have ended. */
  async settlePauses(): Promise<void> {
    await endPausesOfEnded(this.database);
    const { steps, rank } = await settle(this.database, { olderMs: UNFINISHED_MS });
    if (steps > 0) await this.announce.work(rank ?? 0);
  }

  async #find({ taskUuid: given, step }: StepReference): Promise<StepKey> {
    const taskUuid = checkUuid(given, 'the task id');
    const idx = isStorableText(step)
      ? await findStep(this.database, { taskUuid, name: step, idx: stepIndex(taskUuid, step) })
      : undefined;
    if (idx !== undefined) return { taskUuid, idx };
    await this.getTask(taskUuid);
    const names = [...(await stepNames(this.database, taskUuid)).values()];
    const near = nearNames(step, names);
    throw new TaskerError(
      'step_not_found',
      `task ${taskUuid} has no step ${step}; ${near.length > 0 ? `did you mean ${near.join(' or ')}? It` : 'it'} has ${names.slice(0, 20).join(', ')}`,
    );
  }

  /** Asks a worker of any process to stop taking steps, or to take steps again. */
  async askWorker(worker: string | number, options: OperatorOptions & { drain: boolean }): Promise<AskedWorker> {
    const asked = await askWorker(this.database, worker, options);
    await this.announce.tell(CHANNEL_WORKER, [asked.ids.join(',')]);
    return asked;
  }
}

export { isConnectionError, mayPass, sqlState } from '../db/connection-error.ts';
export type { DatabaseReach } from '../db/database-options.ts';
export type { BatchResultRow, BatchWorkerRow } from '../store/batches.ts';
export type { EarlierCallsRow } from '../store/checkpoints.ts';
export type { Claimed, ClaimedStepRow } from '../store/claim-steps.ts';
export type { AdoptedStepRow } from '../store/doubtful.ts';
export type { ElementKey, ElementRow } from '../store/for-each.ts';
export type { ResultRow } from '../store/read-steps.ts';
export { type EventsText, FAILED_KINDS, KIND, type RecordedStep, type StepEvents } from '../store/record-steps.ts';
export type { HeldKey } from '../store/step-key.ts';
export type { StepLogRow } from '../store/step-logs.ts';
export type { ServedNames, WorkerPhase, WorkerReport } from '../store/workers.ts';
export {
  type ActEffects,
  CHANNEL_ENDED,
  CHANNEL_EVENTS,
  CHANNEL_SCHEDULES,
  CHANNEL_TAKEN,
  CHANNEL_WORK,
  CHANNEL_WORKER,
  DUE,
} from './announcements.ts';
export type { QueueCheck } from './check-queue.ts';
export type { RecordAnswer, Recording } from './record.ts';
