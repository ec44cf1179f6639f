import type { OperatorOptions } from '../../engine/operator-actions.ts';
import type { AppliedSchedule } from '../../engine/schedules/apply.ts';
import type { BackfilledDue, BackfillOptions, TriggerOptions } from '../../engine/schedules/by-hand.ts';
import type { CreateScheduleOptions, ScheduleFilter, SchedulePageOptions } from '../../engine/schedules/manage.ts';
import type { ScheduleChange, ScheduleOptions } from '../../engine/schedules/options.ts';
import type { Schedule, ScheduleFiring } from '../../engine/schedules/view.ts';
import type { BulkParts } from '../tasker-bulk.ts';
import type { ScheduleSource } from './load-schedules.ts';

/**
 * The schedules, which create tasks at their due times. Available as `tasker.schedules`. Any process with a worker creates
 * the tasks that are due, by the database clock. Each due time is handled exactly once.
 *
 * @example
 * await tasker.schedules.create({
 *   name: 'nightly-report',
 *   template: 'shop/report@1.0.0',
 *   cron: '0 2 * * *',
 *   timezone: 'Europe/Berlin',
 *   overlap: 'skip',
 * });
 */
export class TaskerSchedules {
  readonly #parts: BulkParts;

  /** @internal */
  constructor(parts: BulkParts) {
    this.#parts = parts;
  }

  /**
   * Creates a schedule. Its first due time is in the future; use {@link backfill} for earlier due times.
   *
   * @example
   * const { words, next } = await tasker.schedules.create({
   *   name: 'poll-orders', template: 'shop/poll@latest', every: '15m', catchUp: 'none',
   * });
   * @throws TaskerError `schedule_invalid`; `conflict` if a schedule with this name exists, unless `ifExists` is set
   */
  create(schedule: ScheduleOptions, options: CreateScheduleOptions = {}): Promise<Schedule> {
    return this.#parts.engine.schedules.create(schedule, this.#parts.by(options));
  }

  /**
   * Returns schedules by name, with their next five due times and last five outcomes.
   *
   * @example
   * for (const { name, words, next } of await tasker.schedules.list()) console.log(name, words, next[0]);
   * @throws TaskerError `bad_request`
   */
  list(filter: ScheduleFilter = {}, page: SchedulePageOptions = {}): Promise<Schedule[]> {
    return this.#parts.engine.schedules.list(filter, page);
  }

  /** Returns a schedule. @throws TaskerError `schedule_not_found` */
  get(name: string): Promise<Schedule> {
    return this.#parts.engine.schedules.get(name);
  }

  /**
   * Returns the outcomes of due times, newest first: a created task, or the reason why the due time was skipped. The
   * newest thousand of a schedule are kept. `limit`: 1 to 1000, default 50. `before`: ISO 8601.
   *
   * @example
   * const failed = (await tasker.schedules.firings('poll-orders')).filter(({ outcome }) => outcome === 'failed');
   * @throws TaskerError `schedule_not_found`, `bad_request`
   */
  firings(name: string, { limit = 50, before }: { limit?: number; before?: string } = {}): Promise<ScheduleFiring[]> {
    return this.#parts.engine.schedules.firings(name, { limit, ...(before !== undefined && { before }) });
  }

  /**
   * Changes a schedule. Null removes a setting. If the times of the schedule change, the next due time is in the
   * future.
   *
   * @example
   * await tasker.schedules.update('nightly-report', { cron: '0 3 * * *', jitter: '10m' }, { actor: 'ann' });
   * @throws TaskerError `schedule_not_found`, `schedule_invalid`
   */
  update(name: string, change: ScheduleChange, options: OperatorOptions = {}): Promise<Schedule> {
    return this.#parts.engine.schedules.update(name, change, this.#parts.by(options));
  }

  /**
   * Pauses a schedule. Its open tasks continue. Returns false if it was already paused. @throws TaskerError
   * `schedule_not_found`
   */
  pause(name: string, options: OperatorOptions = {}): Promise<boolean> {
    return this.#parts.engine.schedules.pause(name, this.#parts.by(options));
  }

  /**
   * Resumes a schedule. Due times during the pause get no task, but are listed. Returns false if it was not paused.
   * @throws TaskerError `schedule_not_found`
   */
  resume(name: string, options: OperatorOptions = {}): Promise<boolean> {
    return this.#parts.engine.schedules.resume(name, this.#parts.by(options));
  }

  /**
   * Creates a task of a schedule now, even if the schedule is paused or another task is open. Returns the id of the task.
   *
   * @example
   * const taskUuid = await tasker.schedules.trigger('nightly-report', { reason: 'the disk was full', actor: 'ann' });
   * @throws TaskerError `schedule_not_found`, `template_not_found`, `bad_request`
   */
  async trigger(name: string, options: TriggerOptions = {}): Promise<string> {
    return (await this.#parts.engine.schedules.trigger(name, this.#parts.by(options))).taskUuid!;
  }

  /**
   * Creates tasks for past due times, at most 10,000, regardless of `overlap`. A due time that already has a task is
   * unchanged, so a backfill can be repeated.
   *
   * @example
   * const dues = await tasker.schedules.backfill('nightly-report', {
   *   from: '2026-01-01T00:00:00Z', to: '2026-01-31T00:00:00Z', dryRun: true,
   * });
   * console.log(dues.filter(({ outcome }) => outcome === 'planned').length);
   * @throws TaskerError `schedule_not_found`, `bad_request`
   */
  async backfill(name: string, options: BackfillOptions): Promise<BackfilledDue[]> {
    const dues: BackfilledDue[] = [];
    for await (const portion of this.backfilling(name, options)) dues.push(...portion);
    return dues;
  }

  /** Runs {@link backfill} in chunks, for a progress display. @internal */
  backfilling(name: string, options: BackfillOptions): AsyncGenerator<BackfilledDue[]> {
    return this.#parts.engine.schedules.backfill(name, this.#parts.by(options) as BackfillOptions);
  }

  /** Deletes a schedule, but not its tasks. @throws TaskerError `schedule_not_found` */
  delete(name: string, options: OperatorOptions = {}): Promise<void> {
    return this.#parts.engine.schedules.delete(name, this.#parts.by(options));
  }

  /**
   * Creates and updates the schedules of a source from files, and pauses those whose file no longer exists. Manual
   * changes are undone. `source`: the name of the package. `cwd`: the folder of relative paths, by default the current
   * folder.
   *
   * @example
   * const applied = await tasker.schedules.apply('schedules', { source: 'shop', dryRun: true });
   * @throws TaskerError `schedule_invalid` with every error of every file
   */
  async apply(
    files: ScheduleSource,
    { source, dryRun, cwd, ...options }: OperatorOptions & { source: string; dryRun?: boolean; cwd?: string },
  ): Promise<AppliedSchedule[]> {
    const { loadSchedules } = await import('./load-schedules.ts');
    const schedules = await loadSchedules(files, cwd);
    const by = this.#parts.by(options);
    return this.#parts.engine.schedules.apply({ ...by, source, schedules, all: true, dryRun: dryRun ?? false });
  }
}
