import { TaskerError } from '../../errors.ts';
import { nearNames } from '../../model/near-names.ts';
import type { CatchUp, FailureAction, Overlap, ScheduleSpec } from '../../model/schedule/spec.ts';
import { parseSchedule } from '../../template/schedule/parse-schedule.ts';
import { scheduleToFile } from '../../template/schedule/schedule-file.ts';

/** A schedule to create. Durations are seconds as a number, `90s`, `15m`, `2h`, `7d`, or ISO 8601. */
export interface ScheduleOptions {
  /** Unique in the database. Letters, digits, `_`, `-` and `.`. */
  name: string;
  /** `namespace/name@version`. The version `latest` is resolved at each due time. */
  template: string;
  description?: string | undefined;
  /** The context of each task. Default `{}`. */
  context?: Record<string, unknown> | undefined;
  tags?: readonly string[] | undefined;
  /** From −100 to 100. Default: the template's. */
  priority?: number | undefined;
  /** Five fields (minute hour day month weekday), or six with seconds first. Either this or `every`. */
  cron?: string | undefined;
  /** A duration of at least a second, counted from `start`, or from the creation of the schedule. */
  every?: number | string | undefined;
  /** The time zone of `cron`, such as `Europe/Berlin`. Default `UTC`. */
  timezone?: string | undefined;
  /** A duration: the maximum delay of each due time. The delay is always the same for one due time. Default 0. */
  jitter?: number | string | undefined;
  /** The first possible due time: a date, or ISO 8601 with a zone. */
  start?: string | Date | undefined;
  /** The last possible due time. */
  end?: string | Date | undefined;
  /** The missed due times that still get a task. Default `last`. */
  catchUp?: CatchUp | undefined;
  /** A duration: how late a missed due time may still get a task. Default: no limit. */
  catchUpWindow?: number | string | undefined;
  /** The action at a due time while a task of the schedule is open. Default `allow`. */
  overlap?: Overlap | undefined;
  /** The effect of a failed task on its schedule. Default `continue`. */
  onFailure?: FailureAction | undefined;
}

/** Changes of a schedule. Null removes a setting. */
export type ScheduleChange = { [Key in keyof Omit<ScheduleOptions, 'name'>]?: ScheduleOptions[Key] | null };

const FILE_KEYS: Readonly<Record<keyof ScheduleOptions, string>> = {
  name: 'name',
  template: 'template',
  description: 'description',
  context: 'context',
  tags: 'tags',
  priority: 'priority',
  cron: 'cron',
  every: 'every',
  timezone: 'timezone',
  jitter: 'jitter',
  start: 'start',
  end: 'end',
  catchUp: 'catch_up',
  catchUpWindow: 'catch_up_window',
  overlap: 'overlap',
  onFailure: 'on_failure',
};

/** Checks the options of a schedule. @throws TaskerError `schedule_invalid` */
export function readScheduleOptions(options: ScheduleOptions): ScheduleSpec {
  return checked(fileForm(options, 'the schedule'), nameIn(options));
}

/** Returns a schedule with changes. `cron` replaces `every`, and vice versa. @throws TaskerError `schedule_invalid` */
export function changedSpec(spec: ScheduleSpec, change: ScheduleChange): ScheduleSpec {
  if (typeof change === 'object' && change !== null && 'name' in change) {
    throw new TaskerError(
      'schedule_invalid',
      `schedule ${spec.name}: a schedule cannot be renamed; create another one`,
    );
  }
  const changes = fileForm(change, `the change of schedule ${spec.name}`);
  const before = scheduleToFile(spec);
  if (changes.cron != null) delete before.every;
  if (changes.every != null) delete before.cron;
  return checked({ ...before, ...changes }, spec.name);
}

function nameIn(options: unknown): string {
  const name = typeof options === 'object' && options !== null ? (options as { name?: unknown }).name : undefined;
  return typeof name === 'string' ? name : 'without a name';
}

function fileForm(options: unknown, what: string): Record<string, unknown> {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TaskerError('schedule_invalid', `${what} must be an object`);
  }
  const file: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options)) {
    if (!Object.hasOwn(FILE_KEYS, key)) {
      const [near] = nearNames(key, Object.keys(FILE_KEYS), 1);
      const way = near === undefined ? `the fields are ${Object.keys(FILE_KEYS).join(', ')}` : `did you mean ${near}?`;
      throw new TaskerError('schedule_invalid', `${what}: unknown field ${key}; ${way}`);
    }
    if (value === undefined) continue;
    file[FILE_KEYS[key as keyof ScheduleOptions]] = value instanceof Date ? dateText(value) : value;
  }
  return file;
}

function dateText(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'Invalid Date' : date.toISOString();
}

function checked(file: Record<string, unknown>, name: string): ScheduleSpec {
  let text: string;
  try {
    text = JSON.stringify(file);
  } catch (cause) {
    throw new TaskerError('schedule_invalid', `schedule ${name} cannot be converted to JSON`, { cause });
  }
  const { schedule, problems } = parseSchedule(text);
  if (schedule) return schedule;
  const messages = problems.map(({ message }) => message);
  throw new TaskerError('schedule_invalid', `schedule ${name}: ${messages.join('; ')}`, { details: { problems } });
}
