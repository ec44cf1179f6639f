import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import path from 'node:path';
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
import { isEmbeddedAllowed } from '../embedded-allowed.ts';
import { eventRegistries } from '../event-registries.ts';
import { phraseNamedSteps } from './check-named-steps.ts';
import { chosenUrl, databaseExists, embeddedHome, openForTools } from './database-admin.ts';
import { differingTemplates } from './differing-templates.ts';
import { HandlerFolders } from './handler-folders.ts';
import { readTemplates } from './load-templates.ts';
import { nameOf } from './project.ts';

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

const SKEW_WARN_MS = 1_000;
const SKEW_FAIL_MS = 30_000;
const HEAR_MS = 2_000;
const LEAST_FREE_BYTES = 100_000_000;

/** Looks at everything that a project needs to run. Changes nothing; each check tells the way out. */
export async function examine(options: ExamineOptions): Promise<Check[]> {
  const { checks: fromDatabase, registered } = await examineDatabase(options);
  const { check: templates, parsed } = await examineTemplates(options, registered);
  const handlers = await examineHandlers(options, parsed);
  const [workers, others] = [fromDatabase.filter(isWorkers), fromDatabase.filter((check) => !isWorkers(check))];
  return [...others, await examineDisk(options), templates, handlers, ...workers];
}

function isWorkers(check: Check): boolean {
  return check.name === 'workers';
}

/** `registered`: the templates of the database; empty if it can't be reached. */
async function examineDatabase(options: ExamineOptions): Promise<{ checks: Check[]; registered: TemplateListRow[] }> {
  if (!databaseExists(options)) {
    const wayOut = isEmbeddedAllowed(loadConfig())
      ? '`npx tasker dev` makes one; DATABASE_URL names a server'
      : 'set DATABASE_URL to your PostgreSQL server';
    const found = `none yet in ${embeddedHome()}`;
    return { checks: [{ name: 'database', status: 'warn', found, wayOut }], registered: [] };
  }
  try {
    const open = await openForTools(options, { migrate: false });
    try {
      const { version, nowMs } = await serverFacts(open.database);
      const where = open.embedded ? `embedded, in ${embeddedHome()}` : open.database.place;
      const schema = await examineSchema(open.database);
      const checks: Check[] = [
        { name: 'database', status: 'ok', found: `PostgreSQL ${version}, ${where}` },
        schema,
        examineClock(nowMs, (options.clock ?? Date.now)()),
        await examineNotifications(open.database),
        ...(schema.status === 'ok'
          ? [await examineQueue(open.database), await examineWorkers(open.database)]
          : [skipped('queue', 'the schema is missing'), skipped('workers', 'the schema is missing')]),
      ];
      return { checks, registered: schema.status === 'ok' ? await listTemplates(open.database) : [] };
    } finally {
      await open.close();
    }
  } catch (error) {
    return { checks: [{ name: 'database', status: 'fail', found: messageOf(error) }], registered: [] };
  }
}

async function examineSchema(database: Database): Promise<Check> {
  try {
    const { applied, pending } = await schemaStatus(database);
    if (pending.length === 0) return { name: 'schema', status: 'ok', found: `up to date, ${applied.at(-1)}` };
    return { name: 'schema', status: 'fail', found: `lacks ${pending.join(', ')}`, wayOut: '`npx tasker db migrate`' };
  } catch (error) {
    return { name: 'schema', status: 'fail', found: messageOf(error) };
  }
}

function examineClock(databaseMs: number, ownMs: number): Check {
  const skew = Math.round(Math.abs(databaseMs - ownMs));
  const found = `this machine and the database differ by ${skew} ms`;
  if (skew < SKEW_WARN_MS) return { name: 'clock', status: 'ok', found };
  const wayOut = 'let both take their time from NTP; leases go by the database, but log lines and shown times do not';
  return { name: 'clock', status: skew < SKEW_FAIL_MS ? 'warn' : 'fail', found, wayOut };
}

async function examineNotifications(database: Database): Promise<Check> {
  const ignored = { onNotify: () => {}, onCatchUp: () => {} };
  const listener = new Listener(database, [], ignored, silentLogger);
  try {
    await listener.start();
    for (const end = Date.now() + HEAR_MS; !listener.hears && Date.now() < end; )
      await new Promise((resolve) => setTimeout(resolve, 20));
    if (listener.hears) return { name: 'notifications', status: 'ok', found: 'LISTEN hears what is sent' };
    return {
      name: 'notifications',
      status: 'warn',
      found: 'LISTEN hears nothing: DATABASE_URL seems to lead through a transaction pooler',
      wayOut: 'set DATABASE_DIRECT_URL to the server itself; until then workers look once a second',
    };
  } finally {
    await listener.stop();
  }
}

async function examineQueue(database: Database): Promise<Check> {
  let count = 0;
  let first: string | undefined;
  try {
    for await (const steps of unqueuedSteps(database)) {
      count += steps.length;
      first ??= steps[0]?.taskUuid;
    }
  } catch (error) {
    return { name: 'queue', status: 'warn', found: `could not be checked: ${messageOf(error)}` };
  }
  if (count === 0) return { name: 'queue', status: 'ok', found: 'every ready step is in it' };
  const [found, them] =
    count === 1
      ? [`1 ready step is missing from it, in task ${first}`, 'it']
      : [`${count} ready steps are missing from it, for example in task ${first}`, 'them'];
  const wayOut = `a running worker queues ${them} again within 5 minutes: \`npx tasker worker\``;
  return { name: 'queue', status: 'warn', found, wayOut };
}

async function examineWorkers(database: Database): Promise<Check> {
  const workers = await listWorkers(database);
  const living = workers.filter((worker) => worker.living);
  const stale = workers.filter((worker) => !worker.living);
  if (stale.length > 0) {
    const names = stale.map((worker) => `${worker.name} (lease over since ${worker.leaseUntil})`).join(', ');
    const found = `${living.length} alive; gone without a word: ${names}`;
    if (living.length > 0)
      return { name: 'workers', status: 'warn', found, wayOut: 'a living worker takes over its steps in a moment' };
    return {
      name: 'workers',
      status: 'fail',
      found,
      wayOut: 'start a worker, it takes over their steps: `npx tasker worker`',
    };
  }
  if (living.length > 0) return { name: 'workers', status: 'ok', found: living.map(describeWorker).join('; ') };
  return {
    name: 'workers',
    status: 'warn',
    found: 'none alive',
    wayOut: '`npx tasker dev` or `npx tasker worker` starts one',
  };
}

function describeWorker(worker: { name: string; namespaces: string[]; callables: string[] }): string {
  return `${worker.name} serves ${worker.namespaces.join(', ') || 'nothing yet'} with ${announcedNames(worker.callables).length} handlers`;
}

async function examineDisk({ databaseUrl, leastFreeBytes = LEAST_FREE_BYTES }: ExamineOptions): Promise<Check> {
  if (chosenUrl({ databaseUrl }) !== undefined) return skipped('disk', "the server's disk can't be seen from here");
  const home = [embeddedHome(), path.dirname(embeddedHome())].find((folder) => existsSync(folder))!;
  const { bavail, bsize } = await statfs(home);
  const free = bavail * bsize;
  const found = `${(free / 1e9).toFixed(1)} GB free for ${embeddedHome()}`;
  if (free >= leastFreeBytes * 10) return { name: 'disk', status: 'ok', found };
  return {
    name: 'disk',
    status: free < leastFreeBytes ? 'fail' : 'warn',
    found,
    wayOut: 'make room there: a full disk stops PostgreSQL',
  };
}

async function examineTemplates(
  { templates }: ExamineOptions,
  registered: readonly TemplateListRow[],
): Promise<{ check: Check; parsed: TaskTemplate[] }> {
  const there = templates.filter((folder) => existsSync(folder));
  const loaded = await readTemplates(there, loadConfig().config.environment);
  const answer = (check: Omit<Check, 'name'>) => ({
    check: { name: 'templates' as const, ...check },
    parsed: loaded.templates,
  });
  if (loaded.files.length === 0) {
    const found = `none in ${templates.map((folder) => path.resolve(folder)).join(', ')}`;
    return answer({
      status: 'warn',
      found,
      wayOut: '`npx tasker init` makes a first one; --templates names another folder',
    });
  }
  const errors = loaded.problems.filter((problem) => problem.severity === 'error');
  const differing = differingTemplates(loaded.templates, registered).map(nameOf);
  if (errors.length === 0 && differing.length > 0) {
    const found = `${differing.join(', ')}: the database has different content under this version, which new tasks get`;
    const wayOut = 'raise the version, or start a worker here, which registers this content';
    return answer({ status: 'warn', found, wayOut });
  }
  const worst = errors[0] ?? loaded.problems[0];
  if (!worst) return answer({ status: 'ok', found: `${loaded.templates.length} sound` });
  const more = loaded.problems.length > 1 ? ` (and ${loaded.problems.length - 1} more)` : '';
  const wayOut = '`npx tasker template validate` shows all';
  return answer({ status: errors.length > 0 ? 'fail' : 'warn', found: `${formatProblem(worst)}${more}`, wayOut });
}

async function examineHandlers({ handlers }: ExamineOptions, templates: TaskTemplate[]): Promise<Check> {
  const missing = handlers.filter((folder) => !existsSync(folder)).map((folder) => path.resolve(folder));
  if (missing.length > 0) {
    const wayOut = '`npx tasker init` makes a first one; --handlers names another folder';
    return { name: 'handlers', status: 'warn', found: `there is no folder ${missing.join(', ')}`, wayOut };
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
      const wayOut = 'correct the options of the handler, or add the step to the template';
      return { name: 'handlers', status, found: phraseNamedSteps(named), wayOut };
    }
    return { name: 'handlers', status: 'ok', found: `${count}; every step's handler is there` };
  } catch (error) {
    if (!(error instanceof TaskerError)) throw error;
    return { name: 'handlers', status: 'fail', found: error.message };
  }
}

function notExported(what: 'handler' | 'publisher', found: string): Check {
  const wayOut = `export one of that name, or correct \`${what}\` in the template`;
  return { name: 'handlers', status: 'fail', found, wayOut };
}

function skipped(name: Check['name'], found: string): Check {
  return { name, status: 'skip', found };
}
