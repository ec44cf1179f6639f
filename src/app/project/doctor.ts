import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LoadedConfig, loadConfig } from '../../config/load-config.ts';
import type { Surroundings } from '../../config/surroundings.ts';
import type { Database } from '../../db/database.ts';
import { Listener } from '../../db/listener.ts';
import { opening } from '../../db/opening.ts';
import { unqueuedSteps } from '../../engine/check-queue.ts';
import { schemaStatus } from '../../engine/migrate.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import { unknownPublishers } from '../../events/publishing/check-publishers.ts';
import { silentLogger } from '../../logging/logger.ts';
import { counted } from '../../model/counted.ts';
import { announcedNames } from '../../registry/announcement.ts';
import { pendingDeadLetters } from '../../store/dead-letters/list.ts';
import { listPauses } from '../../store/pauses/list.ts';
import { estimateEndedTasks } from '../../store/retention/compaction.ts';
import { otherSchemas, useOfSchema } from '../../store/server/other-schemas.ts';
import { serverFacts } from '../../store/server/server-facts.ts';
import { listTemplates, type TemplateListRow } from '../../store/templates.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { formatProblem } from '../../template/template-problem.ts';
import { type EventRegistries, eventRegistries } from '../event-registries.ts';
import { isEmbeddedAllowed } from '../open-database.ts';
import type { LiveWorker } from '../overview/live-workers.ts';
import { type Overview, type QueueNow, readOverview } from '../overview/queues.ts';
import { policyOf } from '../retention.ts';
import { phraseNamedSteps } from './check-named-steps.ts';
import { checkRights } from './check-rights.ts';
import { chosenUrl, databaseExists, embeddedHome, openForTools } from './database-admin.ts';
import { HandlerFolders } from './handler-folders.ts';
import { type LoadedTemplates, readTemplates } from './load-templates.ts';
import { differingTemplates, nameOf } from './project.ts';

/** The outcome of one check of {@link examine}. */
export interface Check {
  name:
    | 'database'
    | 'schema'
    | 'rights'
    | 'schemas'
    | 'clock'
    | 'notifications'
    | 'disk'
    | 'queue'
    | 'served'
    | 'pauses'
    | 'dead letters'
    | 'retention'
    | 'templates'
    | 'handlers'
    | 'workers'
    | 'slots'
    | 'approvals'
    | 'schedules';
  /** `warn`: the part works with limitations, or does not work yet. `skip`: nothing was checked. */
  status: 'ok' | 'warn' | 'fail' | 'skip';
  /** The finding. */
  found: string;
  /** How to fix the problem. */
  wayOut?: string;
}

/** Options of {@link examine}. */
export interface ExamineOptions extends Partial<Surroundings> {
  databaseUrl?: string | undefined;
  templates: readonly string[];
  handlers: readonly string[];
  /** This machine's clock, milliseconds since 1970. Default `Date.now`. */
  clock?: () => number;
  /** The disk check fails below this number of free bytes, and warns below ten times as many. Default 100 MB. */
  leastFreeBytes?: number;
  /** Above this number of ended tasks, the retention check warns if no policy is set. Default 1,000,000. */
  mostEndedTasks?: number;
}

/** Functions that create the checks of one name, by status. */
function checksOf(name: Check['name']) {
  const check =
    (status: Check['status']) =>
    (found: string, wayOut?: string): Check => ({ name, status, found, ...(wayOut !== undefined && { wayOut }) });
  return { ok: check('ok'), warn: check('warn'), fail: check('fail'), skip: check('skip') };
}

const SKEW_WARN_MS = 1_000;
const SKEW_FAIL_MS = 30_000;
const NOTIFY_TIMEOUT_MS = 2_000;
/** For tables of other schemas, which someone may have locked. */
const SHORT = opening({ lock_timeout: '1s', statement_timeout: '5s' });
const MIN_FREE_BYTES = 100_000_000;
const MOST_ENDED_TASKS = 1_000_000;

/** Checks the prerequisites of a project. Changes nothing. Each finding includes a fix. */
export async function examine(options: ExamineOptions): Promise<Check[]> {
  const { checks, registered } = await examineDatabase(options);
  const { cwd = '' } = options;
  const folders = options.templates.filter((folder) => existsSync(path.resolve(cwd, folder)));
  const loaded = await readTemplates(folders, configFor(options).config.environment, options);
  const made = await loadHandlers(options);
  const exported = made.loaded?.library.workflows ?? [];
  const project = {
    files: loaded.files,
    templates: [...loaded.templates, ...exported.map(({ template }) => template)],
    problems: [...loaded.problems, ...exported.flatMap(({ problems }) => problems)],
  };
  const templates = examineTemplates(options, project, registered);
  const handlers = made.failed ?? (await examineHandlers(made.loaded, project.templates));
  const isWorkers = ({ name }: Check) => name === 'workers';
  const others = checks.filter((check) => !isWorkers(check));
  return [...others, await examineDisk(options), templates, handlers, ...checks.filter(isWorkers)];
}

function configFor({ env, cwd }: ExamineOptions): LoadedConfig {
  return loadConfig({ env, cwd });
}

/** `registered`: the templates in the database; empty if the database cannot be reached. */
async function examineDatabase(options: ExamineOptions): Promise<{ checks: Check[]; registered: TemplateListRow[] }> {
  const database = checksOf('database');
  if (!databaseExists(options)) {
    const wayOut = isEmbeddedAllowed(configFor(options))
      ? 'create one with `npx tasker-core dev`, or set DATABASE_URL to a server'
      : 'set DATABASE_URL to your PostgreSQL server';
    return { checks: [database.warn(`no database exists in ${embeddedHome(options)} yet`, wayOut)], registered: [] };
  }
  try {
    const open = await openForTools(options);
    try {
      const { version, nowMs } = await serverFacts(open.database);
      const { schema: own, place } = open.database;
      const where = open.embedded
        ? `embedded, in ${embeddedHome(options)}${own.isDefault ? '' : `, schema ${own.name}`}`
        : place;
      const schema = await examineSchema(open.database);
      const { canRead, ...rights } = await checkRights(open.database);
      const overview = schema.status === 'ok' && canRead ? await readOverview(open.database) : undefined;
      const unread = schema.status === 'ok' ? 'the role may not read the tables' : 'the schema is missing';
      const checks: Check[] = [
        database.ok(`PostgreSQL ${version}, ${where}`),
        schema,
        { name: 'rights', ...rights },
        ...(await examineSchemas(open.database, overview?.living.length ?? 0)),
        examineClock(nowMs, (options.clock ?? Date.now)()),
        await examineNotifications(open.database),
        ...(overview
          ? [
              await examineQueue(open.database),
              ...(await examinePauses(open.database)),
              ...(await examineDeadLetters(open.database)),
              ...(await examineRetention(open.database, options)),
              ...examineOverview(overview),
            ]
          : (['queue', 'served', 'workers'] as const).map((name) => checksOf(name).skip(unread))),
      ];
      return { checks, registered: overview ? await listTemplates(open.database) : [] };
    } finally {
      await open.close();
    }
  } catch (error) {
    return { checks: [database.fail(messageOf(error))], registered: [] };
  }
}

async function examineSchema(database: Database): Promise<Check> {
  const schema = checksOf('schema');
  try {
    const { applied, pending } = await schemaStatus(database);
    if (pending.length === 0) return schema.ok(`up to date with ${applied.at(-1)}`);
    return schema.fail(`missing migrations: ${pending.join(', ')}`, 'run `npx tasker db migrate`');
  } catch (error) {
    return schema.fail(messageOf(error));
  }
}

/** This check is skipped if no other schema of the database has the tables of an installation. */
async function examineSchemas(database: Database, living: number): Promise<Check[]> {
  const names = await otherSchemas(database);
  if (names.length === 0) return [];
  const schemas = checksOf('schemas');
  const others = await Promise.all(
    names.map(async (name) => {
      const use = await database.pipeline(SHORT, (tx) => useOfSchema(tx, name)).catch(() => undefined);
      const shown = use ? counted(use.liveWorkers, 'live worker') : 'could not be read';
      return { name, liveWorkers: use?.liveWorkers ?? 0, isLeft: use?.liveWorkers === 0 && use.hasOpenTasks, shown };
    }),
  );
  const list = (some: typeof others) => some.map(({ name, shown }) => `${name} (${shown})`).join(', ');
  const served = others.filter(({ liveWorkers }) => liveWorkers > 0);
  if (living === 0 && served.length > 0) {
    const found = `no live worker serves the schema ${database.schema.name}, but other schemas of this database have workers: ${list(served)}`;
    return [
      schemas.warn(found, 'if they should run the tasks of this schema, give all processes the same TASKER_SCHEMA'),
    ];
  }
  const left = others.filter(({ isLeft }) => isLeft);
  if (left.length > 0) {
    const found = `other schemas of this database have open tasks, and no live worker: ${left.map(({ name }) => name).join(', ')}`;
    const wayOut = `start a worker with \`npx tasker worker --schema ${left[0]!.name}\`, or drop the schema if it is no longer used`;
    return [schemas.warn(found, wayOut)];
  }
  return [schemas.ok(`also in this database: ${list(others)}`)];
}

function examineClock(databaseMs: number, ownMs: number): Check {
  const skew = Math.round(Math.abs(databaseMs - ownMs));
  const found = `the clocks of this machine and the database differ by ${skew} ms`;
  const clock = checksOf('clock');
  if (skew < SKEW_WARN_MS) return clock.ok(found);
  const wayOut =
    'synchronize both with NTP; leases use the clock of the database, but log lines and displayed times do not';
  return clock[skew < SKEW_FAIL_MS ? 'warn' : 'fail'](found, wayOut);
}

async function examineNotifications(database: Database): Promise<Check> {
  const notifications = checksOf('notifications');
  const ignored = { onNotify: () => {}, onCatchUp: () => {} };
  const listener = new Listener(database, [], ignored, silentLogger);
  try {
    await listener.start();
    for (const end = Date.now() + NOTIFY_TIMEOUT_MS; !listener.hears && Date.now() < end; ) await sleep(20);
    if (listener.hears) return notifications.ok('LISTEN receives notifications');
    return notifications.warn(
      'LISTEN receives nothing; DATABASE_URL may point to a transaction pooler',
      'set DATABASE_DIRECT_URL to the server itself; until then, workers poll once a second',
    );
  } finally {
    await listener.stop();
  }
}

async function examineQueue(database: Database): Promise<Check> {
  const queue = checksOf('queue');
  let count = 0;
  let first: string | undefined;
  try {
    for await (const steps of unqueuedSteps(database)) {
      count += steps.length;
      first ??= steps[0]?.taskUuid;
    }
  } catch (error) {
    return queue.warn(`could not be checked: ${messageOf(error)}`);
  }
  if (count === 0) return queue.ok('every ready step is in the queue');
  const [found, them] =
    count === 1
      ? [`1 ready step is missing from the queue, in task ${first}`, 'it']
      : [`${count} ready steps are missing from the queue, for example in task ${first}`, 'them'];
  return queue.warn(
    found,
    `start a worker with \`npx tasker worker\`; a running worker queues ${them} again within 5 minutes`,
  );
}

/** Maximum number of namespaces that a finding names. */
const NAMED_NAMESPACES = 5;
/** Maximum number of workers that a finding names. */
const NAMED_WORKERS = 10;

function examineOverview(overview: Overview): Check[] {
  const { queues } = overview;
  return [
    examineServed(queues),
    ...examineSlots(overview),
    ...examineApprovals(queues),
    ...examineSchedules(queues),
    examineWorkers(overview),
  ];
}

/** This check is skipped unless a slot is held by a handler whose attempt is over. */
function examineSlots({ living }: Overview): Check[] {
  const hung = living.filter((worker) => worker.hung > 0);
  if (hung.length === 0) return [];
  const named = hung
    .slice(0, NAMED_WORKERS)
    .map(({ name, hung, concurrency }) => `${name} (${hung} of ${concurrency})`);
  const more = hung.length > NAMED_WORKERS ? [`and ${hung.length - NAMED_WORKERS} more`] : [];
  const found = `handlers whose attempt is over still hold slots of ${[...named, ...more].join(', ')}`;
  const wayOut = 'restart these workers; a handler must stop when its `signal` fires, or run in a thread';
  return [checksOf('slots').warn(found, wayOut)];
}

/** This check is skipped if no approval waits. */
function examineApprovals(queues: readonly QueueNow[]): Check[] {
  const waiting = queues.reduce((sum, { approvals }) => sum + approvals, 0);
  if (waiting === 0) return [];
  const more = queues.some(({ atLeast }) => atLeast.includes('approvals')) ? 'at least ' : '';
  const found = `${more}${counted(waiting, 'approval')} ${waiting === 1 ? 'waits' : 'wait'} for a decision`;
  return [checksOf('approvals').warn(found, '`npx tasker approval list` lists them')];
}

/** This check is skipped if no schedule fails. */
function examineSchedules(queues: readonly QueueNow[]): Check[] {
  const failing = queues.reduce((sum, { failingSchedules }) => sum + failingSchedules, 0);
  if (failing === 0) return [];
  const more = queues.some(({ atLeast }) => atLeast.includes('failingSchedules')) ? 'at least ' : '';
  const found = `the last task of ${more}${counted(failing, 'schedule')} failed, or could not be created`;
  return [checksOf('schedules').warn(found, '`npx tasker schedule list` lists their outcomes')];
}

/** Searches for ready steps that no live worker can run. */
function examineServed(all: readonly QueueNow[]): Check {
  const served = checksOf('served');
  const queues = all.filter((queue) => queue.unservedSteps > 0);
  if (queues.length === 0) return served.ok('every ready step has a live worker that can run it');
  const found = queues.slice(0, NAMED_NAMESPACES).map(({ namespace, unserved, unservedSteps, readyIsExact }) => {
    const handlers = unserved.map(({ handler }) => handler);
    const named = `${handlers.slice(0, 3).join(', ')}${handlers.length > 3 ? ' …' : ''}`;
    const since = unserved[0]!.since === null ? '' : ` (since ${unserved[0]!.since})`;
    const why = {
      no_worker: 'no live worker serves the namespace',
      no_handler: `no live worker has ${named}${since}`,
      draining: 'its workers are draining',
    }[unserved[0]!.reason];
    return `${namespace}: ${readyIsExact ? '' : 'at least '}${unservedSteps} ready ${unservedSteps === 1 ? 'step waits' : 'steps wait'}, and ${why}`;
  });
  const more = queues.length > NAMED_NAMESPACES ? [`and ${queues.length - NAMED_NAMESPACES} more namespaces`] : [];
  const { namespace, unserved } = queues[0]!;
  const wayOut =
    unserved[0]!.reason === 'draining'
      ? 'resume a worker with `npx tasker worker resume <worker>`, or start another one'
      : `start a worker that serves it: \`npx tasker worker --namespace ${namespace}\``;
  return served.warn([...found, ...more].join('; '), `${wayOut}; \`npx tasker queue\` shows all of them`);
}

/** This check is skipped if nothing is paused. */
async function examinePauses(database: Database): Promise<Check[]> {
  const pauses = await listPauses(database, 1000);
  if (pauses.length === 0) return [];
  const shown = pauses.slice(0, 5).map(({ scope, target, pausedBy, pausedAt }) => {
    return `${scope} ${target} (by ${pausedBy} at ${pausedAt})`;
  });
  const more = pauses.length > shown.length ? [`and ${pauses.length - shown.length} more`] : [];
  const found = `paused, so that no step starts: ${[...shown, ...more].join(', ')}`;
  return [checksOf('pauses').warn(found, '`npx tasker pause list` shows the reasons; `resume` ends a pause')];
}

/** This check is skipped if there are no open dead letters. */
async function examineDeadLetters(database: Database): Promise<Check[]> {
  const rows = await pendingDeadLetters(database, 100_000);
  const sum = (key: 'pending' | 'unassigned') => rows.reduce((total, row) => total + row[key], 0);
  const pending = sum('pending');
  if (pending === 0) return [];
  const oldest = rows.map((row) => row.oldest).sort()[0]!;
  const found = `${pending} ${pending === 1 ? 'task is' : 'tasks are'} in the dead letters, ${sum('unassigned')} without an assignee, the oldest since ${oldest}`;
  return [checksOf('dead letters').warn(found, '`npx tasker dlq list` lists them; redrive or resolve each')];
}

/** This check is skipped unless there are many ended tasks. */
async function examineRetention(database: Database, options: ExamineOptions): Promise<Check[]> {
  const ended = await estimateEndedTasks(database);
  if (ended <= (options.mostEndedTasks ?? MOST_ENDED_TASKS) || policyOf(configFor(options).config) !== undefined)
    return [];
  const found = `about ${Math.round(ended).toLocaleString('en')} ended tasks, and no policy deletes them`;
  const wayOut =
    'set retention.days in the configuration of the workers, or run `npx tasker db prune --older-than 90d --dry-run`';
  return [checksOf('retention').warn(found, wayOut)];
}

function examineWorkers({ living, lost }: Overview): Check {
  const workers = checksOf('workers');
  if (lost.length > 0) {
    const named = lost.slice(0, NAMED_WORKERS).map(({ name, lostAt }) => `${name} (lease expired at ${lostAt})`);
    const more = lost.length > NAMED_WORKERS ? [`and ${lost.length - NAMED_WORKERS} more`] : [];
    const found = `${living.length} running; lost in the last hour: ${[...named, ...more].join(', ')}`;
    if (living.length === 0)
      return workers.fail(found, 'start a worker with `npx tasker worker`; it takes over their steps');
    return workers.warn(
      found,
      'running workers take over their steps; `npx tasker worker list --state lost` lists them',
    );
  }
  if (living.length > 0) return workers.ok(living.map(describeWorker).join('; '));
  return workers.warn('no worker is running', 'start one with `npx tasker-core dev` or `npx tasker worker`');
}

function describeWorker(worker: LiveWorker): string {
  return `${worker.name} serves ${worker.namespaces.join(', ') || 'no namespace yet'} with ${counted(announcedNames(worker.callables).length, 'handler')}`;
}

async function examineDisk(options: ExamineOptions): Promise<Check> {
  const { leastFreeBytes = MIN_FREE_BYTES } = options;
  const disk = checksOf('disk');
  if (chosenUrl(options) !== undefined) return disk.skip('cannot check the disk of a server');
  const home = [embeddedHome(options), path.dirname(embeddedHome(options))].find((folder) => existsSync(folder))!;
  const { bavail, bsize } = await statfs(home);
  const free = bavail * bsize;
  const found = `${(free / 1e9).toFixed(1)} GB free for ${embeddedHome(options)}`;
  if (free >= leastFreeBytes * 10) return disk.ok(found);
  return disk[free < leastFreeBytes ? 'fail' : 'warn'](
    found,
    'free some space: PostgreSQL stops when the disk is full',
  );
}

/** `registered`: the templates in the database. */
function examineTemplates(
  { templates: folders, cwd = '' }: ExamineOptions,
  { files, templates, problems }: Pick<LoadedTemplates, 'files' | 'templates' | 'problems'>,
  registered: readonly TemplateListRow[],
): Check {
  const check = checksOf('templates');
  if (files.length + templates.length === 0) {
    const found = `no templates in ${folders.map((folder) => path.resolve(cwd, folder)).join(', ')}`;
    return check.warn(found, 'create one with `npx tasker-core init`, or name another folder with --templates');
  }
  const errors = problems.filter((problem) => problem.severity === 'error');
  const differing = differingTemplates(templates, registered).map(nameOf);
  if (errors.length === 0 && differing.length > 0) {
    const found = `${differing.join(', ')}: the database has different content under this version, and new tasks use it`;
    return check.warn(found, 'change the version, or start a worker here to register this content');
  }
  const worst = errors[0] ?? problems[0];
  if (!worst) return check.ok(`${templates.length} valid`);
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const found = `${formatProblem(worst)}${more}`;
  return check[errors.length > 0 ? 'fail' : 'warn'](found, 'run `npx tasker template validate` to see all problems');
}

interface LoadedLibrary {
  library: HandlerFolders;
  events: EventRegistries;
}

/** Loads the handler folders. Returns the check instead if that is not possible. */
async function loadHandlers({
  handlers,
}: ExamineOptions): Promise<{ loaded: LoadedLibrary; failed?: never } | { loaded?: never; failed: Check }> {
  const check = checksOf('handlers');
  const missing = handlers.filter((folder) => !existsSync(folder)).map((folder) => path.resolve(folder));
  if (missing.length > 0) {
    const wayOut = 'create one with `npx tasker-core init`, or name another folder with --handlers';
    return { failed: check.warn(`folder not found: ${missing.join(', ')}`, wayOut) };
  }
  const events = eventRegistries({}, silentLogger);
  const library = new HandlerFolders(handlers, { logger: silentLogger, events });
  try {
    await library.load();
    return { loaded: { library, events } };
  } catch (error) {
    return { failed: failureOf(error) };
  }
}

async function examineHandlers({ library, events }: LoadedLibrary, templates: TaskTemplate[]): Promise<Check> {
  const check = checksOf('handlers');
  try {
    const problems = await library.problems(templates);
    if (problems.length > 0) return notExported('handler', problems.map(({ message }) => message).join('; '));
    const unknown = unknownPublishers(events.publishers, templates, { orInProcess: true });
    if (unknown) return notExported('publisher', unknown.message);
    const named = await library.namedStepProblems(templates);
    if (named.length > 0) {
      const status = named.some(({ severity }) => severity === 'error') ? 'fail' : 'warn';
      return check[status](phraseNamedSteps(named), 'correct the name in the handler, or add it to the template');
    }
    return check.ok(`${library.registry.handlerCount()} found; every step has a handler`);
  } catch (error) {
    return failureOf(error);
  }
}

function failureOf(error: unknown): Check {
  if (!(error instanceof TaskerError)) throw error;
  return checksOf('handlers').fail(error.message);
}

function notExported(what: 'handler' | 'publisher', found: string): Check {
  return checksOf('handlers').fail(found, `export one with that name, or correct \`${what}\` in the template`);
}
