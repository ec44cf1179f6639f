import { z } from 'zod';
import { DURATION_FORMS, durationMs } from '../../model/duration.ts';
import { cronProblem } from '../../model/schedule/cron.ts';
import { CATCH_UPS, FAILURE_ACTIONS, OVERLAPS, type ScheduleSpec } from '../../model/schedule/spec.ts';
import { isZone, nearZones } from '../../model/schedule/zone.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const TEMPLATE = /^([^/@\s]+)\/([^/@\s]+)@([^/@\s]+)$/;
const TIME = /^(\d{4})-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/;
/** The shortest time between two due times. */
const SHORTEST_EVERY_MS = 1_000;
const LONGEST_JITTER_MS = 86_400_000;
/** Later times are treated as mistakes. */
const LAST_YEAR = 9999;

const duration = z
  .union([z.number(), z.string()])
  .refine((value) => durationMs(value) !== undefined, { error: `must be a duration: ${DURATION_FORMS}` });
const time = z.string().refine((value) => timeMs(value) !== undefined, {
  error: `must be a date and time with a zone, such as 2026-01-31T09:00:00+01:00, until the year ${LAST_YEAR}`,
});

/** A schedule, as a file has it. */
export const scheduleFile = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(100)
      .refine((value) => NAME.test(value), { error: 'must consist of letters, digits, `_`, `-` and `.`' }),
    description: z.string().max(1000).nullish(),
    template: z.string().refine((value) => TEMPLATE.test(value), {
      error: 'must be namespace/name@version, or namespace/name@latest',
    }),
    context: z.record(z.string(), z.unknown()).nullish(),
    tags: z.array(z.string().min(1).max(128)).max(1000).nullish(),
    priority: z.int().min(-100).max(100).nullish(),
    cron: z.string().nullish(),
    every: duration.nullish(),
    timezone: z.string().nullish(),
    jitter: duration.nullish(),
    start: time.nullish(),
    end: time.nullish(),
    catch_up: z.enum(CATCH_UPS).nullish(),
    catch_up_window: duration.nullish(),
    overlap: z.enum(OVERLAPS).nullish(),
    on_failure: z.enum(FAILURE_ACTIONS).nullish(),
  })
  .superRefine((file, context) => {
    for (const { path, message } of problemsOf(file)) context.addIssue({ code: 'custom', path: [path], message });
  });

type ScheduleFile = z.infer<typeof scheduleFile>;
/** The fields of a schedule in a file. */
export const SCHEDULE_KEYS: readonly string[] = Object.keys(scheduleFile.shape);

interface Problem {
  path: string;
  message: string;
}

/** Returns the problems with the meaning of single fields, or with a combination of fields. */
function problemsOf(file: ScheduleFile): Problem[] {
  const problems: Problem[] = [];
  const add = (path: string, message: string) => problems.push({ path, message });
  const { cron, every, timezone, jitter, start, end } = file;
  if (cron == null && every == null) add('cron', 'is missing; write `cron: 0 9 * * 1-5`, or `every: 15m`');
  if (cron != null && every != null) add('every', 'cannot be combined with `cron`; remove one of them');
  const wrong = cron == null ? undefined : cronProblem(cron);
  if (wrong !== undefined) add('cron', `\`${cron}\` is not usable: ${wrong}`);
  if (every != null && durationMs(every)! < SHORTEST_EVERY_MS)
    add('every', `must be at least one second, not ${every}; write for example 30s, 15m or 1d`);
  if (timezone != null && !isZone(timezone)) {
    const [near] = nearZones(timezone);
    const way = near === undefined ? 'write a name such as `Europe/Berlin` or `UTC`' : `did you mean \`${near}\`?`;
    add('timezone', `\`${timezone}\` is not a known time zone; ${way}`);
  }
  if (jitter != null && durationMs(jitter)! > LONGEST_JITTER_MS) add('jitter', 'must be at most one day');
  if (start != null && end != null && timeMs(end)! < timeMs(start)!) add('end', 'is before `start`');
  if (file.catch_up === 'none' && file.catch_up_window != null) {
    add('catch_up_window', 'has no effect with `catch_up: none`; remove it, or write `catch_up: all`');
  }
  return problems;
}

function timeMs(text: string): number | undefined {
  const [, year] = TIME.exec(text) ?? [];
  const ms = year === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Returns the schedule of a valid file, with defaults. */
export function specOf(file: ScheduleFile): ScheduleSpec {
  const [, namespace, name, version] = TEMPLATE.exec(file.template)!;
  const ms = (value: string | number | null | undefined) => (value == null ? null : durationMs(value)!);
  return {
    name: file.name,
    description: file.description ?? null,
    template: { namespace: namespace!, name: name!, version: version! },
    context: file.context ?? {},
    tags: file.tags ?? [],
    priority: file.priority ?? null,
    cron: file.cron ?? null,
    everyMs: ms(file.every),
    timezone: file.timezone ?? 'UTC',
    jitterMs: ms(file.jitter) ?? 0,
    startMs: file.start == null ? null : timeMs(file.start)!,
    endMs: file.end == null ? null : timeMs(file.end)!,
    catchUp: file.catch_up ?? 'last',
    windowMs: ms(file.catch_up_window),
    overlap: file.overlap ?? 'allow',
    onFailure: file.on_failure ?? 'continue',
  };
}

/** Returns a schedule in the form of a file, without default values. */
export function scheduleToFile(spec: ScheduleSpec): Record<string, unknown> {
  const { namespace, name, version } = spec.template;
  const seconds = (ms: number | null) => (ms === null || ms === 0 ? undefined : ms / 1000);
  const iso = (ms: number | null) => (ms === null ? undefined : new Date(ms).toISOString());
  const fields = {
    name: spec.name,
    description: spec.description ?? undefined,
    template: `${namespace}/${name}@${version}`,
    context: Object.keys(spec.context).length > 0 ? spec.context : undefined,
    tags: spec.tags.length > 0 ? spec.tags : undefined,
    priority: spec.priority ?? undefined,
    cron: spec.cron ?? undefined,
    every: seconds(spec.everyMs),
    timezone: spec.timezone,
    jitter: seconds(spec.jitterMs),
    start: iso(spec.startMs),
    end: iso(spec.endMs),
    catch_up: spec.catchUp,
    catch_up_window: seconds(spec.windowMs),
    overlap: spec.overlap,
    on_failure: spec.onFailure,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
