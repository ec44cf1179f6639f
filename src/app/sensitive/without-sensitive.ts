import type { BulkAct } from '../../engine/bulk/bulk-act.ts';
import type { TaskFilter } from '../../engine/search/filter.ts';
import type { TaskSnapshot } from '../../engine/task-with-steps.ts';
import type { Tasker } from '../tasker.ts';
import type { TaskerApprovals } from '../tasker-approvals.ts';
import type { TaskerBulk } from '../tasker-bulk.ts';
import type { TaskerDeadLetters } from '../tasker-dead-letters.ts';
import { Redaction } from './redaction.ts';

/** Options of {@link withoutSensitive}. */
export interface SensitiveOptions {
  /** The instruction in errors for showing the values: `use …` or `pass …`. */
  way: string;
  /** Whether the values are shown. Called at each use of the tasker. Default: never. */
  shows?: () => boolean;
}

/**
 * Returns a tasker that hides the values that templates declare as sensitive in everything that it returns, and rejects
 * filters that compare these values. The HTTP API and the command line use this tasker. A verb that returns contexts,
 * results or payloads must have its redaction here.
 */
export function withoutSensitive(tasker: Tasker, { way, shows = () => false }: SensitiveOptions): Tasker {
  const redaction = new Redaction(tasker.engine, way);
  return over(tasker, shows, {
    ...readsOf(tasker, redaction),
    ...waitsOf(tasker, redaction),
    bulk: over(tasker.bulk, shows, bulkOf(tasker.bulk, redaction)),
    deadLetters: over(tasker.deadLetters, shows, deadLettersOf(tasker.deadLetters, redaction)),
    approvals: over(tasker.approvals, shows, approvalsOf(tasker.approvals, redaction)),
    schedules: over(tasker.schedules, shows, schedulesOf(tasker.schedules, redaction)),
    events: over(tasker.events, shows, eventsOf(tasker.events, redaction)),
  });
}

/** Returns a function that hides the values in a task and its steps, as {@link withoutSensitive} does. */
export function hidingIn(
  tasker: Tasker,
  { way, shows = () => false }: SensitiveOptions,
): (snapshot: TaskSnapshot) => Promise<TaskSnapshot> {
  const redaction = new Redaction(tasker.engine, way);
  return async (snapshot) => (shows() ? snapshot : redaction.snapshot(snapshot));
}

/** Returns an object with some verbs replaced, unless the values are shown. */
function over<T extends object>(whole: T, shows: () => boolean, replaced: Partial<T>): T {
  const known = new Map<PropertyKey, unknown>();
  const memberOf = (key: PropertyKey): unknown => {
    const own: unknown = Reflect.get(replaced, key);
    if (typeof own === 'object') return own;
    const member: unknown = Reflect.get(whole, key);
    if (typeof member !== 'function') return member;
    if (known.has(key)) return known.get(key);
    const plain = member.bind(whole) as (...given: unknown[]) => unknown;
    const hiding = own as typeof plain | undefined;
    const verb = hiding ? (...given: unknown[]) => (shows() ? plain : hiding)(...given) : plain;
    known.set(key, verb);
    return verb;
  };
  return new Proxy(whole, { get: (_, key) => memberOf(key) });
}

function readsOf(tasker: Tasker, redaction: Redaction): Partial<Tasker> {
  return {
    getTaskWithSteps: async (uuid) => redaction.snapshot(await tasker.getTaskWithSteps(uuid)),
    getTask: async (uuid) => redaction.task(await tasker.getTask(uuid)),
    getSteps: async (uuid) => redaction.steps(await tasker.getSteps(uuid)),
    getStep: async (uuid, step) => (await redaction.steps([await tasker.getStep(uuid, step)]))[0]!,
    getHistory: async (uuid) => redaction.results(uuid, await tasker.getHistory(uuid), 'droppedResult'),
    getEarlierRuns: async (uuid) => redaction.results(uuid, await tasker.getEarlierRuns(uuid), 'result'),
    why: async (uuid) => {
      const explained = await tasker.why(uuid);
      return { ...explained, task: await redaction.task(explained.task) };
    },
    listTasks: (async (filter: TaskFilter = {}, page: object = {}) => {
      await redaction.refuse(filter);
      const found = await tasker.listTasks(filter, page);
      return Array.isArray(found) ? redaction.tasks(found) : { ...found, tasks: await redaction.tasks(found.tasks) };
    }) as Tasker['listTasks'],
    listSteps: async (filter, page) => {
      await redaction.refuse(filter);
      return tasker.listSteps(filter, page);
    },
    summarizeTasks: async (filter, options) => {
      await redaction.refuse(filter);
      return tasker.summarizeTasks(filter, options);
    },
    taskHistogram: async (filter, options) => {
      await redaction.refuse(filter);
      return tasker.taskHistogram(filter, options);
    },
    audit: async (filter, page) => {
      const found = await tasker.audit(filter, page);
      return { ...found, entries: await redaction.acts(found.entries) };
    },
    listSignals: async (uuid, options) => {
      const page = await tasker.listSignals(uuid, options);
      return { ...page, signals: await redaction.signals(page.signals, () => [uuid.toLowerCase()]) };
    },
    getSignal: async (id) => {
      const signal = await tasker.getSignal(id);
      const tasksOf = (one: NonNullable<typeof signal>) => one.tasks.map(({ taskUuid }) => taskUuid);
      return signal && (await redaction.signals([signal], tasksOf))[0];
    },
  };
}

function waitsOf(tasker: Tasker, redaction: Redaction): Partial<Tasker> {
  return {
    waitForTask: async (uuid, options) => redaction.task(await tasker.waitForTask(uuid, options)),
    async *watchTask(uuid, options) {
      for await (const snapshot of tasker.watchTask(uuid, options)) yield await redaction.snapshot(snapshot);
    },
  };
}

/** The verbs that return a bulk action. All of them except `resume` take a filter. */
type Acting<T> = { [Verb in keyof T]: T[Verb] extends (...given: never[]) => BulkAct ? Verb : never }[keyof T];

/** The verbs of bulk actions that take a filter. The type requires an entry for each of them. */
const ACTS: Record<Exclude<Acting<TaskerBulk>, 'resume'>, true> = {
  retry: true,
  cancel: true,
  resolve: true,
  delete: true,
  retrySteps: true,
  resetSteps: true,
  resolveSteps: true,
};

function bulkOf(bulk: TaskerBulk, redaction: Redaction): Partial<TaskerBulk> {
  type Verb = TaskerBulk['retry'];
  const acts = (Object.keys(ACTS) as (keyof typeof ACTS)[]).map((name): [string, Verb] => [
    name,
    (target, options) => checked((bulk[name] as Verb).call(bulk, target, options), () => redaction.refuse(target)),
  ]);
  return {
    ...Object.fromEntries(acts),
    list: async (page) => redaction.filters(await bulk.list(page)),
    show: async (id) => (await redaction.filters([await bulk.show(id)]))[0]!,
  };
}

function deadLettersOf(
  deadLetters: TaskerDeadLetters,
  redaction: Redaction,
): Pick<TaskerDeadLetters, Acting<TaskerDeadLetters>> {
  return {
    redriveAll: (target, options) => checked(deadLetters.redriveAll(target, options), () => redaction.refuse(target)),
  };
}

/** Returns an action that is checked before it selects its items. */
function checked(act: BulkAct, check: () => Promise<void>): BulkAct {
  const guarded: Pick<BulkAct, 'preview' | 'discard' | 'result' | typeof Symbol.asyncIterator> = {
    preview: async () => {
      await check();
      return act.preview();
    },
    discard: async () => {
      await check();
      return act.discard();
    },
    result: async () => {
      await check();
      return act.result();
    },
    async *[Symbol.asyncIterator]() {
      await check();
      yield* act;
    },
  };
  return guarded as BulkAct;
}

function approvalsOf(approvals: TaskerApprovals, redaction: Redaction): Partial<TaskerApprovals> {
  type Approval = Awaited<ReturnType<TaskerApprovals['get']>>;
  const one = async (approval: Promise<Approval>) => (await redaction.approvals([await approval]))[0]!;
  return {
    list: async (filter, page) => {
      const found = await approvals.list(filter, page);
      return { ...found, approvals: await redaction.approvals(found.approvals) };
    },
    get: (uuid, step) => one(approvals.get(uuid, step)),
    vote: (uuid, step, request) => one(approvals.vote(uuid, step, request)),
    reassign: (uuid, step, request) => one(approvals.reassign(uuid, step, request)),
  };
}

function schedulesOf(schedules: Tasker['schedules'], redaction: Redaction): Partial<Tasker['schedules']> {
  type Schedule = Awaited<ReturnType<Tasker['schedules']['get']>>;
  const one = async (schedule: Promise<Schedule>) => (await redaction.schedules([await schedule]))[0]!;
  return {
    list: async (filter, page) => redaction.schedules(await schedules.list(filter, page)),
    get: (name) => one(schedules.get(name)),
    create: (schedule, options) => one(schedules.create(schedule, options)),
    update: (name, change, options) => one(schedules.update(name, change, options)),
  };
}

function eventsOf(events: Tasker['events'], redaction: Redaction): Partial<Tasker['events']> {
  return {
    list: async (filter) => redaction.events(await events.list(filter)),
    get: async (id) => (await redaction.events([await events.get(id)]))[0]!,
    envelope: async (id) => redaction.envelope(await events.envelope(id)),
    dead: async (filter) => {
      const dead = await events.dead(filter);
      const shown = await redaction.events(dead.map(({ event }) => event));
      return dead.map((one, i) => ({ ...one, event: shown[i]! }));
    },
    async *watch(options) {
      for await (const event of events.watch(options)) yield (await redaction.events([event]))[0]!;
    },
  };
}
