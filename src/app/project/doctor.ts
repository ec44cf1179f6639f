import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../config/load-config.ts';
import type { Database } from '../../db/database.ts';
import { Listener } from '../../db/listener.ts';
import { unqueuedSteps } from '../../engine/check-queue.ts';
import { schemaStatus } from '../../engine/migrate.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import { unknownPublishers } from '../../events/publishing/check-publishers.ts';
import { silentLogger } from '../../logging/logger.ts';
import { announcedNames } from '../../registry/announcement.ts';
import { serverFacts } from '../../store/server/server-facts.ts';
import { listTemplates, type TemplateListRow } from '../../store/templates.ts';
import { listWorkers } from '../../store/workers.ts';
import { formatProblem } from '../../template/parse-template.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { eventRegistries } from '../event-registries.ts';
import { isEmbeddedAllowed } from '../open-database.ts';
import { phraseNamedSteps } from './check-named-steps.ts';
import { chosenUrl, databaseExists, embeddedHome, openForTools } from './database-admin.ts';
import { HandlerFolders } from './handler-folders.ts';
import { type LoadedTemplates, readTemplates } from './load-templates.ts';
import { differingTemplates, nameOf } from './project.ts';

/** What one check of {@link examine} came to. */
export interface Check {
  name: 'database' | 'schema' | 'clock' | 'notifications' | 'disk' | 'queue' | 'templates' | 'handlers' | 'workers';
  /** `warn`: it works, but not as well as it could, or not yet. `skip`: there was nothing to look at. */
  status: 'ok' | 'warn' | 'fail' | 'skip';
  /** What was found. */
  found: string;
  /** What to do about it. */
  wayOut?: string;
}

/** Options of {@link examine}. */
export interface ExamineOptions {
  databaseUrl?: string | undefined;
  templates: readonly string[];
  handlers: readonly string[];
  /** This machine's clock, milliseconds since 1970. Default `Date.now`. */
  clock?: () => number;
  /** Free bytes below which the disk fails the check; it warns below ten times as many. Default 100 MB. */
  leastFreeBytes?: number;
}

/** Checks of one name, by what came of them. */
function checksOf(name: Check['name']) {
  const check =
    (status: Check['status']) =>
    (found: string, wayOut?: string): Check => ({ name, status, found, ...(wayOut !== undefined && { wayOut }) });
  return { ok: check('ok'), warn: check('warn'), fail: check('fail'), skip: check('skip') };
}

const SKEW_WARN_MS = 1_000;
const SKEW_FAIL_MS = 30_000;
const HEAR_MS = 2_000;
const LEAST_FREE_BYTES = 100_000_000;

/** Looks at everything that a project needs to run. Changes nothing; each check tells the way out. */
export async function examine(options: ExamineOptions): Promise<Check[]> {
  const { checks, registered } = await examineDatabase(options);
  const folders = options.templates.filter((folder) => existsSync(folder));
  const loaded = await readTemplates(folders, loadConfig().config.environment);
  const templates = examineTemplates(options.templates, loaded, registered);
  const handlers = await examineHandlers(options, loaded.templates);
  const isWorkers = ({ name }: Check) => name === 'workers';
  const others = checks.filter((check) => !isWorkers(check));
  return [...others, await examineDisk(options), templates, handlers, ...checks.filter(isWorkers)];
}

/** `registered`: the templates of the database; empty if it can't be reached. */
async function examineDatabase(options: ExamineOptions): Promise<{ checks: Check[]; registered: TemplateListRow[] }> {
  const database = checksOf('database');
  if (!databaseExists(options)) {
    const wayOut = isEmbeddedAllowed(loadConfig())
      ? '`npx tasker dev` makes one; DATABASE_URL names a server'
      : 'set DATABASE_URL to your PostgreSQL server';
    return { checks: [database.warn(`none yet in ${embeddedHome()}`, wayOut)], registered: [] };
  }
  try {
    const open = await openForTools(options, { migrate: false });
    try {
      const { version, nowMs } = await serverFacts(open.database);
      const where = open.embedded ? `embedded, in ${embeddedHome()}` : open.database.place;
      const schema = await examineSchema(open.database);
      const checks: Check[] = [
        database.ok(`PostgreSQL ${version}, ${where}`),
        schema,
        examineClock(nowMs, (options.clock ?? Date.now)()),
        await examineNotifications(open.database),
        ...(schema.status === 'ok'
          ? [await examineQueue(open.database), await examineWorkers(open.database)]
          : [checksOf('queue').skip('the schema is missing'), checksOf('workers').skip('the schema is missing')]),
      ];
      return { checks, registered: schema.status === 'ok' ? await listTemplates(open.database) : [] };
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
    if (pending.length === 0) return schema.ok(`up to date, ${applied.at(-1)}`);
    return schema.fail(`lacks ${pending.join(', ')}`, '`npx tasker db migrate`');
  } catch (error) {
    return schema.fail(messageOf(error));
  }
}

function examineClock(databaseMs: number, ownMs: number): Check {
  const skew = Math.round(Math.abs(databaseMs - ownMs));
  const found = `this machine and the database differ by ${skew} ms`;
  const clock = checksOf('clock');
  if (skew < SKEW_WARN_MS) return clock.ok(found);
  const wayOut = 'let both take their time from NTP; leases go by the database, but log lines and shown times do not';
  return clock[skew < SKEW_FAIL_MS ? 'warn' : 'fail'](found, wayOut);
}

async function examineNotifications(database: Database): Promise<Check> {
  const notifications = checksOf('notifications');
  const ignored = { onNotify: () => {}, onCatchUp: () => {} };
  const listener = new Listener(database, [], ignored, silentLogger);
  try {
    await listener.start();
    for (const end = Date.now() + HEAR_MS; !listener.hears && Date.now() < end; ) await sleep(20);
    if (listener.hears) return notifications.ok('LISTEN hears what is sent');
    return notifications.warn(
      'LISTEN hears nothing: DATABASE_URL seems to lead through a transaction pooler',
      'set DATABASE_DIRECT_URL to the server itself; until then workers look once a second',
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
  if (count === 0) return queue.ok('every ready step is in it');
  const [found, them] =
    count === 1
      ? [`1 ready step is missing from it, in task ${first}`, 'it']
      : [`${count} ready steps are missing from it, for example in task ${first}`, 'them'];
  return queue.warn(found, `a running worker queues ${them} again within 5 minutes: \`npx tasker worker\``);
}

async function examineWorkers(database: Database): Promise<Check> {
  const workers = checksOf('workers');
  const known = await listWorkers(database);
  const living = known.filter((worker) => worker.living);
  const stale = known.filter((worker) => !worker.living);
  if (stale.length > 0) {
    const names = stale.map((worker) => `${worker.name} (lease over since ${worker.leaseUntil})`).join(', ');
    const found = `${living.length} alive; gone without a word: ${names}`;
    if (living.length > 0) return workers.warn(found, 'a living worker takes over its steps in a moment');
    return workers.fail(found, 'start a worker, it takes over their steps: `npx tasker worker`');
  }
  if (living.length > 0) return workers.ok(living.map(describeWorker).join('; '));
  return workers.warn('none alive', '`npx tasker dev` or `npx tasker worker` starts one');
}

function describeWorker(worker: { name: string; namespaces: string[]; callables: string[] }): string {
  return `${worker.name} serves ${worker.namespaces.join(', ') || 'nothing yet'} with ${announcedNames(worker.callables).length} handlers`;
}

async function examineDisk({ databaseUrl, leastFreeBytes = LEAST_FREE_BYTES }: ExamineOptions): Promise<Check> {
  const disk = checksOf('disk');
  if (chosenUrl({ databaseUrl }) !== undefined) return disk.skip("the server's disk can't be seen from here");
  const home = [embeddedHome(), path.dirname(embeddedHome())].find((folder) => existsSync(folder))!;
  const { bavail, bsize } = await statfs(home);
  const free = bavail * bsize;
  const found = `${(free / 1e9).toFixed(1)} GB free for ${embeddedHome()}`;
  if (free >= leastFreeBytes * 10) return disk.ok(found);
  return disk[free < leastFreeBytes ? 'fail' : 'warn'](found, 'make room there: a full disk stops PostgreSQL');
}

/** `registered`: the templates of the database. */
function examineTemplates(
  folders: readonly string[],
  { files, templates, problems }: LoadedTemplates,
  registered: readonly TemplateListRow[],
): Check {
  const check = checksOf('templates');
  if (files.length === 0) {
    const found = `none in ${folders.map((folder) => path.resolve(folder)).join(', ')}`;
    return check.warn(found, '`npx tasker init` makes a first one; --templates names another folder');
  }
  const errors = problems.filter((problem) => problem.severity === 'error');
  const differing = differingTemplates(templates, registered).map(nameOf);
  if (errors.length === 0 && differing.length > 0) {
    const found = `${differing.join(', ')}: the database has different content under this version, which new tasks get`;
    return check.warn(found, 'raise the version, or start a worker here, which registers this content');
  }
  const worst = errors[0] ?? problems[0];
  if (!worst) return check.ok(`${templates.length} sound`);
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const found = `${formatProblem(worst)}${more}`;
  return check[errors.length > 0 ? 'fail' : 'warn'](found, '`npx tasker template validate` shows all');
}

async function examineHandlers({ handlers }: ExamineOptions, templates: TaskTemplate[]): Promise<Check> {
  const check = checksOf('handlers');
  const missing = handlers.filter((folder) => !existsSync(folder)).map((folder) => path.resolve(folder));
  if (missing.length > 0) {
    const wayOut = '`npx tasker init` makes a first one; --handlers names another folder';
    return check.warn(`there is no folder ${missing.join(', ')}`, wayOut);
  }
  const events = eventRegistries({}, silentLogger);
  const library = new HandlerFolders(handlers, { logger: silentLogger, events });
  try {
    const { count } = await library.load();
    const problems = await library.problems(templates);
    if (problems.length > 0) return notExported('handler', problems.map(({ message }) => message).join('; '));
    const unknown = unknownPublishers(events.publishers, templates, { orInProcess: true });
    if (unknown) return notExported('publisher', unknown.message);
    const named = await library.namedStepProblems(templates);
    if (named.length > 0) {
      const status = named.some(({ severity }) => severity === 'error') ? 'fail' : 'warn';
      return check[status](
        phraseNamedSteps(named),
        'correct the options of the handler, or add the step to the template',
      );
    }
    return check.ok(`${count}; every step's handler is there`);
  } catch (error) {
    if (!(error instanceof TaskerError)) throw error;
    return check.fail(error.message);
  }
}

function notExported(what: 'handler' | 'publisher', found: string): Check {
  return checksOf('handlers').fail(found, `export one of that name, or correct \`${what}\` in the template`);
}
