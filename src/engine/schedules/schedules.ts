import type { Database } from '../../db/database.ts';
import type { TaskSchedule } from '../../model/schedule/spec.ts';
import { firingsOf, schedulesOfTasks } from '../../store/schedules/firings.ts';
import { lateSchedules } from '../../store/schedules/schedules.ts';
import type { Announcements } from '../announcements.ts';
import type { OperatorOptions } from '../operator-actions.ts';
import { timeOf } from '../search/filter.ts';
import type { TemplateStore } from '../template-store.ts';
import { type AppliedFiles, type AppliedSchedule, applySchedules } from './apply.ts';
import {
  type BackfilledDue,
  type BackfillOptions,
  backfillSchedule,
  type TriggerOptions,
  triggerSchedule,
} from './by-hand.ts';
import { fireDue } from './fire.ts';
import {
  type CreateScheduleOptions,
  createSchedule,
  deleteSchedule,
  findSchedules,
  getSchedule,
  pause,
  resume,
  type ScheduleFilter,
  type SchedulePageOptions,
  updateSchedule,
} from './manage.ts';
import type { ScheduleChange, ScheduleOptions } from './options.ts';
import type { FiredTask } from './tasks.ts';
import { findSchedule, firingView, type Schedule, type ScheduleFiring } from './view.ts';

/** The part of the engine that schedules need. */
export interface ScheduleHost {
  readonly database: Database;
  readonly templates: TemplateStore;
  readonly search: { changed(taskUuid: string): void };
  cancelTask(taskUuid: string, options: OperatorOptions): Promise<boolean>;
  readonly announce: Pick<Announcements, 'work' | 'schedules'>;
}

/** Maximum number of rounds in a row. After that, the worker does other work before it continues. */
const PASSES_IN_A_ROW = 50;

/** Creates tasks at the due times of schedules, and changes schedules. */
export class Schedules {
  readonly #host: ScheduleHost;

  constructor(host: ScheduleHost) {
    this.#host = host;
  }

  /** Fires all due schedules. Returns the numbers of fired schedules and of created tasks. */
  async fire(): Promise<{ passed: number; tasks: number }> {
    let passed = 0;
    let tasks = 0;
    for (let passes = 0; passes < PASSES_IN_A_ROW; passes++) {
      const fired = await fireDue(this.#host);
      if (fired.schedules === 0) break;
      passed += fired.schedules;
      tasks += fired.taskUuids.length;
      await this.#created(fired);
    }
    return { passed, tasks };
  }

  async #created({ taskUuids, rank }: { taskUuids: readonly string[]; rank: number }): Promise<void> {
    for (const taskUuid of taskUuids) this.#host.search.changed(taskUuid);
    if (taskUuids.length > 0) await this.#host.announce.work(rank);
  }

  async create(options: ScheduleOptions, how: CreateScheduleOptions): Promise<Schedule> {
    await createSchedule(this.#host.database, options, how);
    await this.#host.announce.schedules();
    return this.get(options.name);
  }

  async update(name: string, change: ScheduleChange, options: OperatorOptions): Promise<Schedule> {
    await updateSchedule(this.#host.database, name, change, options);
    await this.#host.announce.schedules();
    return this.get(name);
  }

  get(name: string, firings?: number): Promise<Schedule> {
    return getSchedule(this.#host.database, name, firings);
  }

  list(filter: ScheduleFilter, page: SchedulePageOptions): Promise<Schedule[]> {
    return findSchedules(this.#host.database, filter, page);
  }

  /** Returns outcomes of due times, newest first. */
  async firings(name: string, { limit, before }: { limit: number; before?: string }): Promise<ScheduleFiring[]> {
    const { id } = await findSchedule(this.#host.database, name);
    return (await firingsOf(this.#host.database, [id], { limit, before: timeOf(before, 'before') })).map(firingView);
  }

  pause(name: string, options: OperatorOptions): Promise<boolean> {
    return pause(this.#host.database, name, options);
  }

  async resume(name: string, options: OperatorOptions): Promise<boolean> {
    const resumed = await resume(this.#host.database, name, options);
    await this.#host.announce.schedules();
    return resumed;
  }

  delete(name: string, options: OperatorOptions): Promise<void> {
    return deleteSchedule(this.#host.database, name, options);
  }

  async trigger(name: string, options: TriggerOptions): Promise<FiredTask> {
    const fired = await triggerSchedule(this.#host, name, options);
    await this.#created({ taskUuids: fired.fresh ? [fired.taskUuid!] : [], rank: fired.rank });
    return fired;
  }

  async *backfill(name: string, options: BackfillOptions): AsyncGenerator<BackfilledDue[]> {
    for await (const portion of backfillSchedule(this.#host, name, options)) {
      await this.#created(portion);
      yield portion.dues;
    }
  }

  async apply(files: AppliedFiles): Promise<AppliedSchedule[]> {
    const applied = await applySchedules(this.#host.database, files);
    if (
      !files.dryRun &&
      applied.some(({ change }) => change === 'created' || change === 'updated' || change === 'resumed')
    ) {
      await this.#host.announce.schedules();
    }
    return applied;
  }

  /** Returns the number of schedules whose due time passed more than ten seconds ago. */
  late(): Promise<number> {
    return lateSchedules(this.#host.database);
  }

  /** Returns the schedules that created these tasks. */
  ofTasks(taskUuids: readonly string[]): Promise<Map<string, TaskSchedule>> {
    return schedulesOfTasks(this.#host.database, taskUuids);
  }
}
