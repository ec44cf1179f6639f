import path from 'node:path';
import { createTasker } from '../../app/create-tasker.ts';
import { eventRegistries } from '../../app/event-registries.ts';
import { programLogger } from '../../app/process/program-logger.ts';
import { checkUrl, chosenUrl, embeddedHome } from '../../app/project/database-admin.ts';
import { nameOf, Project } from '../../app/project/project.ts';
import type { Tasker } from '../../app/tasker.ts';
import { loadConfig } from '../../config/load-config.ts';
import { messageOf } from '../../errors.ts';
import { moduleLogger } from '../../logging/module-logger.ts';
import { pc } from '../../logging/terminal/colors.ts';
import type { Listening } from '../../server/listen.ts';
import { exampleCommand } from '../example-command.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { leave } from '../leave.ts';
import { reportError } from '../report-error.ts';
import { note } from '../show/output.ts';
import { fields } from '../show/text.ts';
import { listenForStop } from '../stop-signal.ts';
import { here, thisRun } from '../this-run.ts';
import { DevView } from './dev-view.ts';
import { runnableFolders, scheduleFolders } from './folders.ts';
import { watchFolder } from './watch-folder.ts';
import { taskerOptions, type WorkerOptions } from './worker.ts';

/** Options of `tasker dev`. */
export interface DevOptions extends WorkerOptions {
  bind?: string;
}

/** `tasker dev`: runs the database, a worker, live reload and a view of running tasks until Ctrl-C. */
export async function dev(options: DevOptions): Promise<void> {
  const stop = listenForStop();
  const ended = new AbortController();
  let starting = true;
  let view: DevView | undefined;
  let web: Listening | undefined;
  let tasker: Tasker | undefined;
  const tell = (line: string) => (view ? view.print(line) : note(line));
  try {
    const folders = runnableFolders(options);
    checkUrl({ ...options, ...here() });
    const config = loadConfig(here());
    const { environment } = config.config;
    const form = options.json ? 'json' : 'lines';
    const logger = programLogger({ level: options.verbose ? 'debug' : undefined, form, write: tell });
    const events = eventRegistries({}, moduleLogger(logger, 'events'));
    const project = new Project({ ...folders, environment, logger, events, tell });
    // Starts watching before reading anything, so that files that change during startup are reloaded afterwards.
    const signal = AbortSignal.any([stop.signal, ended.signal]);
    const beginReloading = watchProject(project, { folders, signal, tell });
    const sound = await project.readHandlers();
    await project.readTemplates();
    if (sound) await project.warnIfEmpty();
    const { templates } = project;
    for (const line of config.warnings) logger.warn(line);
    const running = await createTasker({
      config,
      ...events,
      ...taskerOptions(options),
      templates,
      schedules: scheduleFolders(),
      handlers: project.library.registry,
      logger,
    });
    tasker = running;
    // Imported here, because loading the modules takes about as long as starting a small database.
    const { serveWeb } = await import('./dev-web.ts');
    web = await serveWeb(running, { bind: options.bind, environment, logger });
    starting = false;
    await running.serveToo(project.brokenNamespaces);
    beginReloading(running);
    for (const line of greeting(project, running, { ...options, url: web.url })) tell(line);
    if (thisRun().stdout.isTTY && !options.json) {
      view = new DevView(thisRun().stdout);
      view.show(running, ['no tasks yet']);
    }
    await stop.requested;
    view?.end();
    view = undefined;
    running.engine.changes.close();
    await web.close();
    if (running.stats?.running) tell('stopping after running handlers finish; press Ctrl-C again to stop immediately');
    await running.stop({ drainTimeoutMs: options.drainTimeout });
  } catch (error) {
    view?.end();
    await web?.close();
    // Otherwise its worker would stay registered until its lease expires.
    await tasker?.stop({ drainTimeoutMs: 0 }).catch(() => undefined);
    reportError(error, options);
    thisRun().exitCode = starting ? exitCodeOf(error, { starting }) : EXIT.failed;
  } finally {
    ended.abort();
    stop.release();
    leave();
  }
}

function greeting(project: Project, tasker: Tasker, options: DevOptions & { url: string }): string[] {
  const [first] = project.templates;
  const place =
    chosenUrl({ ...options, ...here() }) === undefined
      ? `embedded PostgreSQL in ${embeddedHome(here())}`
      : tasker.place;
  const about = fields([
    ['database', place],
    ['templates', project.templates.map(nameOf).join(', ') || 'none yet'],
    ['handlers', project.library.registry.listHandlers().join(', ') || 'none yet'],
    ['web page', options.url],
  ]);
  const how = first ? ['', 'Create a task from another terminal:', `  ${pc.bold(exampleCommand(first))}`] : [];
  return [
    ...about.split('\n'),
    ...how,
    '',
    pc.dim('Templates and handlers are reloaded when they change. Press Ctrl-C to stop.'),
  ];
}

interface Watched {
  folders: { templates: string[]; handlers: string[] };
  signal: AbortSignal;
  tell: (line: string) => void;
}

/**
 * Watches a project's folders. Reloads begin once the returned function has been called with a tasker. Reloads run one
 * after the other, so that each uses the result of the previous reload.
 */
function watchProject(project: Project, { folders, signal, tell }: Watched): (tasker: Tasker) => void {
  let begin!: (tasker: Tasker) => void;
  const begun = new Promise<Tasker>((resolve) => {
    begin = resolve;
  });
  let last: Promise<unknown> = Promise.resolve();
  const watchAll = (paths: readonly string[], reload: (tasker: Tasker) => Promise<unknown>) => {
    for (const folder of paths) {
      watchFolder(folder, {
        signal,
        onChange: () => {
          last = last
            .then(async () => reload(await begun))
            .catch((error: unknown) => tell(`error: reload failed: ${messageOf(error)}`));
        },
        onLost: (error) => tell(`cannot watch ${path.resolve(folder)}: ${error.message}; restart to load changes`),
      });
    }
  };
  watchAll(folders.templates, (tasker) => project.reloadTemplates(tasker));
  watchAll(folders.handlers, (tasker) => project.reloadHandlers(tasker));
  return begin;
}
