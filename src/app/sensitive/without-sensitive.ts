import type { BulkAct } from '../../engine/bulk/bulk-act.ts';
import type { TaskRequest } from '../../engine/create-task.ts';
import type { TaskFilter } from '../../engine/search/filter.ts';
import type { TaskSnapshot } from '../../engine/task-with-steps.ts';
import { exportTask } from '../overview/task-export.ts';
import { runWorkflow } from '../run-workflow.ts';
import type { WaitOptions } from '../streams/task-waiter.ts';
import type { Tasker } from '../tasker.ts';
import type { TaskerApprovals } from '../tasker-approvals.ts';
import type { TaskerBulk } from '../tasker-bulk.ts';
import type { TaskerDeadLetters } from '../tasker-dead-letters.ts';
import { Redaction } from './redaction.ts';

/** Returns names as the keys of an object. */
const namesOf = <const Names extends readonly string[]>(...names: Names) =>
  Object.fromEntries(names.map((name) => [name, true])) as Record<Names[number], true>;

// The verbs that return nothing that a template can declare as sensitive.
const PLAIN_TASKER = {
  [Symbol.asyncDispose]: true,
  ...namesOf(
    'activateTemplate',
    'analytics',
    'cancelTask',
    'completeByToken',
    'completeStep',
    'copyTask',
    'createTask',
    'createTasks',
    'createEach',
    'deleteTask',
    'drainWorker',
    'extendByToken',
    'failByToken',
    'fireTimer',
    'getChildTasks',
    'getCopies',
    'getStepLogs',
    'getTaskLogs',
    'getWaits',
    'getWorker',
    'httpWorkers',
    'hurry',
    'listWorkers',
    'moveTimer',
    'pause',
    'pauses',
    'prune',
    'queues',
    'refresh',
    'registerHttpTemplate',
    'registerTemplates',
    'rerunTask',
    'undoTask',
    'rescheduleTask',
    'resetStep',
    'resolveStep',
    'resolveTask',
    'restoreArchive',
    'resume',
    'resumeWorker',
    'retryStep',
    'retryTask',
    'serveToo',
    'signal',
    'start',
    'startTaskNow',
    'status',
    'stop',
    'stopWith',
    'watchTasks',
  ),
} as const;
const PLAIN_BULK = namesOf('begunBy', 'resume', 'runAlone', 'runsHere', 'stop', 'stopAll');
const PLAIN_DEAD_LETTERS = namesOf(
  'add',
  'assign',
  'get',
  'list',
  'note',
  'redrive',
  'resolve',
  'staleness',
  'stats',
  'update',
);
const PLAIN_SCHEDULES = namesOf('apply', 'backfill', 'backfilling', 'delete', 'firings', 'pause', 'resume', 'trigger');
const PLAIN_EVENTS = namesOf(
  'countReplay',
  'discard',
  'group',
  'groups',
  'redeliver',
  'removeGroup',
  'replay',
  'stop',
  'wake',
);

/** Options of {@link withoutSensitive}. */
export interface SensitiveOptions {
  /** The instruction in errors for showing the values: `use …` or `pass …`. */
  way: string;
  /** Whether the values are shown. Called at each use of the tasker. Default: never. */
  shows?: () => boolean;
}

/**
 * Returns a tasker that hides the values that templates declare as sensitive in everything that it returns, and rejects
 * filters that compare these values. The HTTP API and the command line use this tasker. A verb that
 * is neither redacted here nor listed above is refused.
 */
export function withoutSensitive(tasker: Tasker, { way, shows = () => false }: SensitiveOptions): Tasker {
  const redaction = new Redaction(tasker.engine, way);
  const verbs = { ...readsOf(tasker, redaction), ...waitsOf(tasker, redaction) };
  const groups = {
    bulk: over(tasker.bulk, shows, { hiding: bulkOf(tasker.bulk, redaction), plain: PLAIN_BULK }),
    deadLetters: over(tasker.deadLetters, shows, {
      hiding: deadLettersOf(tasker.deadLetters, redaction),
      plain: PLAIN_DEAD_LETTERS,
    }),
    approvals: over(tasker.approvals, shows, { hiding: approvalsOf(tasker.approvals, redaction), plain: {} }),
    schedules: over(tasker.schedules, shows, {
      hiding: schedulesOf(tasker.schedules, redaction),
      plain: PLAIN_SCHEDULES,
    }),
    events: over(tasker.events, shows, { hiding: eventsOf(tasker.events, redaction), plain: PLAIN_EVENTS }),
  };
  const hidden: Tasker = over(tasker, shows, {
    hiding: {
      ...verbs,
      ...groups,
      run: (workflow, input, options) => {
        const create = (request: TaskRequest) => tasker.createTask<string, string, string>(request);
        const wait = (taskUuid: string, how: WaitOptions) => hidden.waitForTask(taskUuid, how);
        return runWorkflow({ create, wait }, workflow, { ...options, input });
      },
      exportTask: async (uuid, options) => {
        const document = await exportTask(hidden, uuid, options);
        if (!(await redaction.hidesIn(document.task))) return document;
        const why = `the template declares values as sensitive; to see them, ${way}`;
        return { ...document, omitted: [...document.omitted, { part: 'sensitive', why }] };
      },
    } satisfies Partial<Tasker>,
    plain: PLAIN_TASKER,
  });
  return hidden;
}

/** Returns a function that hides the values in a task and its steps, as {@link withoutSensitive} does. */
export function hidingIn(
  tasker: Tasker,
  { way, shows = () => false }: SensitiveOptions,
): (snapshot: TaskSnapshot) => Promise<TaskSnapshot> {
  const redaction = new Redaction(tasker.engine, way);
  return async (snapshot) => (shows() ? snapshot : redaction.snapshot(snapshot));
}

/** The names of the methods of an object. */
type VerbsOf<T> = { [Key in keyof T]: T[Key] extends (...given: never[]) => unknown ? Key : never }[keyof T];

/** The verbs that need no redaction: every verb that is not in `Hiding`. The compiler demands an entry for a new verb. */
type Plain<T, Hiding> = Readonly<Record<Exclude<VerbsOf<T>, keyof Hiding>, true>>;

/**
 * Returns an object with some verbs replaced, unless the values are shown. A method that is neither replaced nor listed
 * as plain is refused, so that a new verb cannot reveal anything.
 */
function over<T extends object, Hiding extends Partial<T>>(
  whole: T,
  shows: () => boolean,
  { hiding, plain }: { hiding: Hiding; plain: Plain<T, Hiding> },
): T {
  const known = new Map<PropertyKey, unknown>();
  const memberOf = (key: PropertyKey): unknown => {
    const own: unknown = Reflect.get(hiding, key);
    if (typeof own === 'object') return own;
    const member: unknown = Reflect.get(whole, key);
    if (typeof member !== 'function' || key in Object.prototype) return member;
    if (known.has(key)) return known.get(key);
    const shown = member.bind(whole) as (...given: unknown[]) => unknown;
    const hidden = own as typeof shown | undefined;
    if (!hidden && !Object.hasOwn(plain, key)) {
      throw new TypeError(`no rule says whether ${String(key)} can return sensitive values; see without-sensitive.ts`);
    }
    const verb = hidden ? (...given: unknown[]) => (shows() ? shown : hidden)(...given) : shown;
    known.set(key, verb);
    return verb;
  };
  return new Proxy(whole, { get: (_, key) => memberOf(key) });
}

function readsOf(tasker: Tasker, redaction: Redaction) {
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
  } satisfies Partial<Tasker>;
}

function waitsOf(tasker: Tasker, redaction: Redaction) {
  return {
    waitForTask: async (uuid, options) => redaction.task(await tasker.waitForTask(uuid, options)),
    async *watchTask(uuid, options) {
      for await (const snapshot of tasker.watchTask(uuid, options)) yield await redaction.snapshot(snapshot);
    },
  } satisfies Partial<Tasker>;
}

/** The verbs that return a bulk action. All of them except `resume` take a filter. */
type Acting<T> = { [Verb in keyof T]: T[Verb] extends (...given: never[]) => BulkAct ? Verb : never }[keyof T];

/** The verbs of bulk actions that take a filter. The type requires an entry for each of them. */
const ACTS: Record<Exclude<Acting<TaskerBulk>, 'resume'>, true> = {
  retry: true,
  cancel: true,
  resolve: true,
  delete: true,
  undo: true,
  retrySteps: true,
  resetSteps: true,
  resolveSteps: true,
};

function bulkOf(bulk: TaskerBulk, redaction: Redaction) {
  type Verb = TaskerBulk['retry'];
  const acts = (Object.keys(ACTS) as (keyof typeof ACTS)[]).map((name): [string, Verb] => [
    name,
    (target, options) => checked((bulk[name] as Verb).call(bulk, target, options), () => redaction.refuse(target)),
  ]);
  return {
    ...(Object.fromEntries(acts) as Pick<TaskerBulk, keyof typeof ACTS>),
    list: async (page?: Parameters<TaskerBulk['list']>[0]) => redaction.filters(await bulk.list(page)),
    show: async (id: number) => (await redaction.filters([await bulk.show(id)]))[0]!,
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

function approvalsOf(approvals: TaskerApprovals, redaction: Redaction) {
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
  } satisfies Partial<TaskerApprovals>;
}

function schedulesOf(schedules: Tasker['schedules'], redaction: Redaction) {
  type Schedule = Awaited<ReturnType<Tasker['schedules']['get']>>;
  const one = async (schedule: Promise<Schedule>) => (await redaction.schedules([await schedule]))[0]!;
  return {
    list: async (filter, page) => redaction.schedules(await schedules.list(filter, page)),
    get: (name) => one(schedules.get(name)),
    create: (schedule, options) => one(schedules.create(schedule, options)),
    update: (name, change, options) => one(schedules.update(name, change, options)),
  } satisfies Partial<Tasker['schedules']>;
}

function eventsOf(events: Tasker['events'], redaction: Redaction) {
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
  } satisfies Partial<Tasker['events']>;
}
