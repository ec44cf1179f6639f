import { BulkAct, beginNew } from '../engine/bulk/bulk-act.ts';
import type { RedriveFilter } from '../engine/bulk/redrives.ts';
import { readTarget } from '../engine/bulk/targets.ts';
import type { AddOptions, DeadLetterChange } from '../engine/dead-letters/change.ts';
import {
  type DeadLetterDetails,
  type DeadLetterPage,
  type DeadLetterPageOptions,
  type DeadLetterStats,
  findDeadLetter,
  listDeadLetters,
  stalenessOf,
  statsOfDeadLetters,
  type TaskStaleness,
  tasksOfEntries,
} from '../engine/dead-letters/entries.ts';
import type { DeadLetterFilter } from '../engine/dead-letters/filter.ts';
import type { Redrive } from '../engine/dead-letters/redrive.ts';
import { type OperatorOptions, operatorOf } from '../engine/operator-actions.ts';
import type { BulkOptions, BulkParts } from './tasker-bulk.ts';

/**
 * The dead letters: tasks that need a person's attention. Available as `tasker.deadLetters`. A task is added when it
 * exceeds a limit of its template's `lifecycle` (`staleness_action: dlq`), when it is blocked by failures
 * (`on_blocked: dlq`), or by hand. It has at most one open entry. If the task makes progress again, the entry is closed
 * automatically.
 *
 * Every verb takes the id of an entry or of a task. The id of a task means its open entry, otherwise its newest entry.
 *
 * @example
 * const { entries } = await tasker.deadLetters.list({ namespace: 'shop' }, { limit: 10 });
 * for (const { taskUuid, dlqReason, cause } of entries) console.log(taskUuid, dlqReason, cause);
 * await tasker.deadLetters.redrive(entries[0]!.dlqEntryUuid, { actor: 'anna', reason: 'the bank is back' });
 */
export class TaskerDeadLetters {
  readonly #parts: BulkParts;

  /** @internal */
  constructor(parts: BulkParts) {
    this.#parts = parts;
  }

  /**
   * Returns a page of dead letters. Without a filter: the open entries, sorted by priority, then by `priorityScore`.
   * The score is the age of the entry in minutes plus 500 for `max_retries_exceeded`, 100 for `staleness_timeout`, 50
   * for `worker_unavailable` and 10 for `manual_dlq`.
   *
   * @example
   * const page = await tasker.deadLetters.list({ name: 'fulfil', unassigned: true }, { limit: 20 });
   * console.log(page.total, page.entries.map((entry) => entry.cause));
   * @throws TaskerError `bad_request`, `invalid_uuid`
   */
  list(filter: DeadLetterFilter = {}, page: DeadLetterPageOptions = {}): Promise<DeadLetterPage> {
    return listDeadLetters(this.#parts.engine.database, filter, page);
  }

  /**
   * Returns a dead letter with the snapshot of its task and all notes.
   *
   * @example
   * const { cause, taskSnapshot, notes } = await tasker.deadLetters.get(taskUuid);
   * @throws TaskerError `dead_letter_not_found`, `invalid_uuid`
   */
  get(id: string): Promise<DeadLetterDetails> {
    return findDeadLetter(this.#parts.engine.database, id);
  }

  /**
   * Adds a task to the dead letters, in any state, with the reason `manual_dlq`. The task itself does not change. If
   * the task makes progress, the entry is closed.
   *
   * @example
   * await tasker.deadLetters.add(taskUuid, { reason: 'charged twice?', assignee: 'payments', priority: 10 });
   * @throws TaskerError `task_not_found`, `conflict` if the task has an open entry, `bad_request`, `invalid_uuid`
   */
  add(taskUuid: string, options: AddOptions = {}): Promise<DeadLetterDetails> {
    return this.#parts.engine.addDeadLetter(taskUuid, this.#parts.by(options) as AddOptions);
  }

  /**
   * Assigns dead letters to a person or a team, at most 1,000 per call, all or none. Null removes the assignee. Returns
   * their number.
   *
   * @example
   * await tasker.deadLetters.assign([first, second], 'payments');
   * @throws TaskerError `dead_letter_not_found`, `illegal_transition` if one is closed, `bad_request`, `invalid_uuid`
   */
  assign(ids: string | readonly string[], assignee: string | null, options: OperatorOptions = {}): Promise<number> {
    return this.update(ids, { assignee }, options);
  }

  /** Adds a remark to dead letters, open or closed. Throws the same errors as {@link assign}. */
  note(ids: string | readonly string[], note: string, options: OperatorOptions = {}): Promise<number> {
    return this.update(ids, { note }, options);
  }

  /**
   * Closes dead letters. `status`: `manually_resolved` (default), `permanently_failed`, or `cancelled` for an entry
   * that should not have been added. The tasks do not change: cancel, resolve or redrive them. Throws the same errors
   * as {@link assign}.
   *
   * @example
   * await tasker.deadLetters.resolve(taskUuid, { status: 'permanently_failed', resolutionNotes: 'refunded by hand' });
   */
  resolve(
    ids: string | readonly string[],
    { status = 'manually_resolved', resolutionNotes }: Pick<DeadLetterChange, 'status' | 'resolutionNotes'> = {},
    options: OperatorOptions = {},
  ): Promise<number> {
    return this.update(ids, { status, resolutionNotes }, options);
  }

  /** Changes several fields of dead letters together. Throws the same errors as {@link assign}. */
  update(ids: string | readonly string[], change: DeadLetterChange, options: OperatorOptions = {}): Promise<number> {
    return this.#parts.engine.changeDeadLetters(ids, change, this.#parts.by(options));
  }

  /**
   * Runs a task again, and closes its entry. The failed steps of an open task are retried with all their attempts, and
   * its waiting steps immediately. A task that was cancelled, resolved by hand or ended by its lifecycle is reopened,
   * with the steps that were cancelled with it.
   *
   * @example
   * const { how, steps } = await tasker.deadLetters.redrive(taskUuid, { actor: 'anna', reason: 'the bank is back' });
   * console.log(`${how}: ${steps.join(', ')}`);
   * @throws TaskerError `nothing_failed` if the task makes progress, waits for a worker or is complete;
   * `dead_letter_not_found`, `invalid_uuid`
   */
  async redrive(id: string, options: OperatorOptions = {}): Promise<Redrive> {
    const done = await this.#parts.engine.redrive(id, this.#parts.by(options));
    this.#parts.changed(done.taskUuid);
    return done;
  }

  /**
   * Redrives several tasks as a bulk action: by their ids, or by a filter. Only tasks with an open entry are redriven.
   * See {@link TaskerBulk}.
   *
   * @example
   * const act = tasker.deadLetters.redriveAll({ name: 'fulfil', errorType: 'timeout' }, { reason: 'the bank is back' });
   * const { done, skipped } = await act.result();
   * @throws TaskerError on iteration: `bad_request`, `invalid_uuid`, `dead_letter_not_found`
   */
  redriveAll(target: RedriveFilter | { ids: readonly string[] }, given: BulkOptions = {}): BulkAct {
    // Not in the parameters, because declarations leave out `request`, which is internal.
    const { signal, request, ...options } = given;
    const { engine, by, changed } = this.#parts;
    const read = readTarget('task_redrive', target);
    const operator = operatorOf(by(options));
    const begin = async () => {
      const tasks = read.kind === 'tasks' ? await tasksOfEntries(engine.database, read.taskUuids) : undefined;
      const of = tasks ? ({ kind: 'tasks', taskUuids: tasks } as const) : read;
      return beginNew(engine, { action: 'task_redrive', target: of, result: null, operator, request });
    };
    return new BulkAct(engine, begin, { signal, changed });
  }

  /**
   * Counts dead letters by their reason. The reason with the most open entries is first.
   *
   * @example
   * for (const { dlqReason, pending, unassigned } of await tasker.deadLetters.stats({ addedAfter: '7d' })) {
   *   console.log(dlqReason, pending, unassigned);
   * }
   * @throws TaskerError `bad_request`
   */
  stats(
    filter: Pick<DeadLetterFilter, 'addedAfter' | 'namespace' | 'namespaces' | 'name'> = {},
  ): Promise<DeadLetterStats[]> {
    return statsOfDeadLetters(this.#parts.engine.database, filter);
  }

  /**
   * Returns open tasks with limits, sorted by how close they are to a limit. `limit`: 1 to 1000, default 100.
   *
   * @example
   * const warned = (await tasker.deadLetters.staleness()).filter(({ healthStatus }) => healthStatus === 'warning');
   * @throws TaskerError `bad_request`
   */
  staleness(page: { limit?: number } = {}): Promise<TaskStaleness[]> {
    return stalenessOf(this.#parts.engine.database, page);
  }
}
