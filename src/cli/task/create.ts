import { snakeKeys, taskJson } from '../../app/json/views.ts';
import { databaseExists, embeddedHome } from '../../app/project/database-admin.ts';
import { readTemplates, similarTemplate } from '../../app/project/load-templates.ts';
import type { Tasker, TaskHandle } from '../../app/tasker.ts';
import { loadConfig } from '../../config/load-config.ts';
import { TaskerError } from '../../errors.ts';
import { formatProblem } from '../../template/template-problem.ts';
import { existingFolders } from '../project/folders.ts';
import { readObject } from '../read-input.ts';
import { chosenServer } from '../remote/choose-server.ts';
import { noteMissingWorker } from '../show/missing-worker.ts';
import { note, print, printJson } from '../show/output.ts';
import { fits, meantBy, readReference, type TemplateName, type TemplateReference } from '../template/reference.ts';
import { here, thisRun } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';
import { type WatchOptions, watch } from './watch.ts';

/** A template, and the version if the command names one. */
type WantedTemplate = Pick<TemplateName, 'name' | 'namespace'> & { version: string | undefined };

interface TaskCreateOptions extends WatchOptions {
  name?: string;
  namespace?: string;
  templateVersion?: string;
  input?: string;
  /** The same as `input`. */
  context?: string;
  priority?: number;
  correlationId?: string;
  idempotencyKey?: string;
  returnExisting?: boolean;
  reason?: string;
  tag?: string[];
  wait?: boolean;
  at?: string;
  /** Milliseconds. */
  in?: number;
}

/** `tasker task create`: creates a task and prints its id. */
export async function taskCreate(argument: string | undefined, options: TaskCreateOptions): Promise<void> {
  const wanted = wantedTemplate(argument, options);
  const context = await givenContext(options);
  const existed = (await chosenServer(options)) !== undefined || databaseExists({ ...options, ...here() });
  await withTasker(options, { mayMake: true, listen: options.wait ?? false }, async (tasker) => {
    if (!existed) note(`created an embedded database in ${embeddedHome(here())}`);
    const template = await findRegistered(tasker, wanted, options);
    const handle = await create(tasker, template, { ...options, context });
    noteOutcome(handle);
    // The process would exit before its own notification is sent.
    if (handle.created) await tasker.engine.announce.work(handle.priority === 0 ? 0 : -handle.priority);

    if (!options.wait) {
      if (options.json) return printJson(snakeKeys(handle));
      print(handle.taskUuid);
      return noteMissingWorker(tasker, template.namespace);
    }
    if (!options.json && !thisRun().stdout.isTTY) print(handle.taskUuid);
    thisRun().exitCode = await watch(tasker, handle.taskUuid, { ...options, json: false }, note);
    if (options.json) printJson(await wholeTask(tasker, handle.taskUuid));
  });
}

/** Prints which task was returned or replaced. */
function noteOutcome({ taskUuid, outcome, rule, replacedTaskUuid }: TaskHandle): void {
  if (outcome === 'replaced') note(`task ${replacedTaskUuid} with the same key was cancelled and replaced (unique)`);
  if (outcome !== 'returned') return;
  note(rule === 'unique' ? `task ${taskUuid} with the same key is open (unique)` : `task ${taskUuid} already exists`);
}

async function givenContext({ input, context }: TaskCreateOptions): Promise<Record<string, unknown> | undefined> {
  if (input !== undefined && context !== undefined) {
    throw new TaskerError('bad_request', '--context and --input are the same; pass one of them');
  }
  if (context !== undefined) return readObject(context, '--context');
  return input === undefined ? undefined : readObject(input, '--input');
}

async function wholeTask(tasker: Tasker, uuid: string): Promise<Record<string, unknown>> {
  const [task, steps] = await Promise.all([tasker.getTask(uuid), tasker.getSteps(uuid)]);
  return taskJson({ task, steps });
}

function wantedTemplate(argument: string | undefined, options: TaskCreateOptions): TemplateReference {
  const given = argument ?? options.name;
  if (given === undefined) {
    throw new TaskerError(
      'bad_request',
      'the name of the template is missing: `npx tasker task create NAME`; `npx tasker template list` lists the templates',
    );
  }
  if (argument !== undefined && options.name !== undefined && argument !== options.name) {
    throw new TaskerError(
      'bad_request',
      `the argument is ${argument}, but --name is ${options.name}; pass only one of them`,
    );
  }
  const read = readReference(given);
  return {
    name: read.name,
    namespace: options.namespace ?? read.namespace,
    version: options.templateVersion ?? read.version,
  };
}

/**
 * Finds the template in the database and completes its name. Registers a template that only the project's folders have,
 * and prints the warnings about its file.
 */
async function findRegistered(
  tasker: Tasker,
  wanted: TemplateReference,
  options: TaskCreateOptions,
): Promise<WantedTemplate> {
  const { version } = wanted;
  const registered = match<TemplateName>(await tasker.engine.templates.list(), wanted);
  if (registered) return { ...registered, version };
  const server = await chosenServer(options);
  if (server) throw notRegistered(wanted, server.url);
  const folders = existingFolders(options);
  const { templates, problems, fileOf } = await readTemplates(folders, loadConfig(here()).config.environment, here());
  const own = match(templates, wanted);
  if (!own) {
    // The template may be in a file with errors.
    for (const problem of problems) if (problem.severity === 'error') note(formatProblem(problem));
    const similar = similarTemplate(wanted.name, templates);
    if (similar) throw notThere(wanted, similar);
    return { ...wanted, namespace: wanted.namespace ?? 'default' };
  }
  for (const problem of problems) if (problem.file === fileOf.get(own)) note(formatProblem(problem));
  await tasker.registerTemplates([own]);
  return { name: own.name, namespace: own.namespace, version };
}

function notRegistered({ name }: TemplateReference, server: string): TaskerError {
  const message = `no template ${name} is registered on ${server}; \`npx tasker server\` and workers register their templates when they start`;
  return new TaskerError('template_not_found', message);
}

function notThere({ name }: TemplateReference, { namespace, name: similar, version }: TemplateName): TaskerError {
  const message = `no template ${name} is registered or in the folders; did you mean ${namespace}/${similar}@${version}?`;
  return new TaskerError('template_not_found', message);
}

/**
 * Returns the template that matches the given parts of its name. If it is in several namespaces, returns the one in
 * `default`.
 * @throws TaskerError `bad_request` if the name is ambiguous
 */
function match<T extends TemplateName>(known: readonly T[], wanted: TemplateReference): T | undefined {
  const namespaces = new Set(known.filter((one) => fits(one, wanted)).map(({ namespace }) => namespace));
  if (namespaces.size <= 1 || namespaces.has('default')) return meantBy(known, wanted);
  const named = [...namespaces].map((namespace) => `${namespace}/${wanted.name}`);
  throw new TaskerError(
    'bad_request',
    `the template name ${wanted.name} is ambiguous; pass one of ${named.join(', ')}`,
  );
}

async function create(
  tasker: Tasker,
  { name, namespace, version }: WantedTemplate,
  options: Omit<TaskCreateOptions, 'name' | 'context'> & { context: Record<string, unknown> | undefined },
): Promise<TaskHandle> {
  const { context, priority, correlationId, idempotencyKey, reason, tag } = options;
  if (options.at !== undefined && options.in !== undefined) {
    throw new TaskerError('bad_request', '--at and --in cannot be combined; pass one of them');
  }
  const start = { startAt: options.at, delayMs: options.in };
  const given = { context, priority, correlationId, idempotencyKey, reason, tags: tag, ...start };
  const request = {
    name,
    namespace,
    ...(version !== undefined && { version }),
    ...given,
    initiator: 'cli',
    sourceSystem: 'cli',
  };
  try {
    return await tasker.createTask(request, { onDuplicate: options.returnExisting ? 'return' : 'error' });
  } catch (error) {
    if (!(error instanceof TaskerError)) throw error;
    if (error.code === 'identity_missing') throw noKey(name, error);
    if (error.code !== 'conflict') throw error;
    // The messages for a pruned task, and for the open task of a key, also fit the command line, so they are kept.
    const isDuplicate = error.details.pruned_at === undefined && error.details.rule === undefined;
    throw isDuplicate && error.details.retryable === undefined ? alreadyThere(name, error) : error;
  }
}

/** Returns the error for a missing key, with the command-line option. */
function noKey(name: string, cause: TaskerError): TaskerError {
  const message = `the template of ${name} has identity_strategy: caller_provided; pass --idempotency-key`;
  return new TaskerError('identity_missing', message, { cause });
}

/** Returns the error for a duplicate task, with the relevant command-line options. */
function alreadyThere(name: string, cause: TaskerError): TaskerError {
  // A server names the task only to a credential that may read tasks.
  const { task_uuid: id } = cause.details;
  const fact = `a task of ${name} with this identity already exists`;
  const message =
    id === undefined
      ? `${fact}; pass another --idempotency-key to create another task`
      : `${fact}: ${String(id)}; pass --return-existing to print its id, or another --idempotency-key to create another task`;
  return new TaskerError('conflict', message, { cause, details: cause.details });
}
