import { createTasker } from '../app/create-tasker.ts';
import { eventRegistries } from '../app/event-registries.ts';
import { DiscoveredSubscribers } from '../app/project/discovered-subscribers.ts';
import { loadHandlers } from '../app/project/handler-folders.ts';
import { loadTemplates, type TemplateSource } from '../app/project/load-templates.ts';
import type { CheckedRequest, TaskTypes } from '../app/task-types.ts';
import type { Tasker } from '../app/tasker.ts';
import { type CreateTaskerOptions, LIMIT_OPTIONS, refuseUnknown, TASKER_OPTIONS } from '../app/tasker-options.ts';
import { readVariables } from '../config/read-variables.ts';
import type { TaskRequest } from '../engine/create-task.ts';
import type { Step, StepError, Task } from '../engine/task-view.ts';
import { TaskerError } from '../errors.ts';
import { loggerOf } from '../logging/any-logger.ts';
import { type Logger, silentLogger } from '../logging/logger.ts';
import { HandlerRegistry } from '../registry/handler-registry.ts';
import { formatProblem } from '../template/parse-template.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import { registrableOf, type TestHandler } from './handler-of.ts';
import { type TestDatabase, testDatabase } from './test-server.ts';

/** Options of {@link testTasker}: those of `createTasker`, but that the database is the test kit's business. */
export interface TestTaskerOptions
  extends Omit<
    CreateTaskerOptions,
    'databaseUrl' | 'databaseDirectUrl' | 'embeddedFolder' | 'migrate' | 'autoStart' | 'worker'
  > {
  /** A folder, files, parsed templates, or plain objects with the keys of a template file. */
  templates: TemplateSource;
  /** Take the place of handlers of the same name: a class, an instance, a `define…()` value, or a function of the context. */
  stubs?: Record<string, TestHandler>;
  /** The server to make a database on. Default: that of `DATABASE_URL`; without it, an embedded one. */
  databaseUrl?: string;
  /** Wait between attempts as the templates say. Default: retry at once. */
  keepBackoff?: boolean;
}

/** What {@link TestTasker.run} gives. */
export interface TestRun {
  task: Task;
  /** By name. */
  steps: Record<string, Step>;
  /** What the completed steps came to, by step name. */
  results: Record<string, unknown>;
  /** Why the others failed last, by step name. */
  errors: Record<string, StepError>;
}

/**
 * A tasker on a database of its own. Made by {@link testTasker}.
 *
 * @example
 * const kit = await testTasker({ templates: './templates', handlers: './handlers' });
 * const { errors } = await kit.run({ context: { order_id: 'O-7' } });
 * console.log(errors.charge?.error_type, await kit.tasker.listTasks());
 * await kit.stop();
 */
export class TestTasker {
  /** The tasker itself, for everything else. */
  readonly tasker: Tasker;
  /** The database of this test. It holds a password. */
  readonly databaseUrl: string;
  readonly #database: TestDatabase;
  readonly #templates: readonly TaskTemplate[];
  #stopped: Promise<void> | undefined;

  /** @internal */
  constructor(parts: { tasker: Tasker; database: TestDatabase; templates: readonly TaskTemplate[] }) {
    this.tasker = parts.tasker;
    this.databaseUrl = parts.database.url;
    this.#database = parts.database;
    this.#templates = parts.templates;
  }

  /**
   * Creates a task and waits until it rests: complete, failed, or blocked by failures. Of a single template, name,
   * namespace and version may be left out. The types of a request with a name are checked as in `createTask`.
   *
   * @example
   * const { task, results } = await kit.run({ context: { order_id: 'O-7' } });
   * @throws TaskerError what `createTask` throws; `timeout` after `timeoutMs` (10,000), with what each step waits for
   */
  async run<Name extends string = string, Namespace extends string = never, Version extends string = never>(
    request?: CheckedRequest<Name, Namespace, Version, TaskTypes, Partial<TaskRequest>>,
    { timeoutMs = 10_000 }: { timeoutMs?: number } = {},
  ): Promise<TestRun> {
    const whole = this.#complete((request ?? {}) as Partial<TaskRequest>);
    const { taskUuid } = await this.tasker.createTask(whole);
    const task = await this.tasker.waitForTask(taskUuid, { timeoutMs }).catch(async (error: unknown) => {
      if (!(error instanceof TaskerError) || error.code !== 'timeout') throw error;
      const { steps } = await this.tasker.why(taskUuid);
      const open = steps.filter(({ state }) => state !== 'complete').map(({ step, why }) => `${step}: ${why}`);
      throw new TaskerError('timeout', `${error.message}; ${open.join('; ')}`, { cause: error });
    });
    return runOf(task, await this.tasker.getSteps(taskUuid));
  }

  /** The steps of a task in the order of its template. @throws TaskerError `task_not_found` */
  getSteps(taskUuid: string): Promise<Step[]> {
    return this.tasker.getSteps(taskUuid);
  }

  /** Stops the worker, which waits half a second for running handlers, and removes the database. */
  stop(): Promise<void> {
    this.#stopped ??= this.tasker.stop({ drainTimeoutMs: 500 }).finally(() => this.#database.drop());
    return this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #complete(request: Partial<TaskRequest>): TaskRequest {
    if (request.name !== undefined) return { ...request, name: request.name };
    const [template, another] = this.#templates;
    if (template && !another) {
      const { name, namespace, version } = template;
      return { namespace, version, ...request, name };
    }
    const names = this.#templates.map(({ namespace, name }) => `${namespace}/${name}`).join(', ');
    throw new TaskerError('bad_request', `run: there are several templates; say which by its name: ${names}`);
  }
}

/**
 * A tasker for tests: real, on a database of its own that goes with it. The first call of a process prepares a server
 * (about a second); each call after that takes a fraction of one. It does what production does but for this: failed
 * attempts are repeated at once unless `keepBackoff`, a step without a handler fails at once, templates have the
 * overrides of the environment `test`, and nothing is logged unless you give a logger.
 *
 * @example
 * const kit = await testTasker({ templates: './templates', handlers: './handlers', stubs: { charge: () => ({ paid: true }) } });
 * const { task, results } = await kit.run({ name: 'order', namespace: 'shop', context: { order_id: 'O-7' } });
 * await kit.stop(); // or `await using kit = …`
 * @throws TaskerError what `createTasker` throws; `embedded_unsupported` when there is neither a server nor the optional
 * package of the embedded one
 */
export async function testTasker(options: TestTaskerOptions): Promise<TestTasker> {
  refuseUnknown('testTasker', options, TEST_OPTIONS);
  refuseUnknown('testTasker: limits', options.limits, LIMIT_OPTIONS);
  const { templates: source, stubs = {}, databaseUrl, keepBackoff = false, ...others } = options;
  const { environment = 'test' } = others;
  const logger = loggerOf(others.logger ?? silentLogger);
  const { templates, problems } = await loadTemplates(source, environment);
  for (const problem of problems) logger.warn(formatProblem(problem));
  const used = keepBackoff ? templates : templates.map(withoutBackoff);
  const events = eventRegistries(others, logger);
  const found = new DiscoveredSubscribers(events);
  const handlers = withStubs(await loadHandlers(others.handlers ?? [], { logger, found }), stubs, logger);
  const database = await testDatabase(databaseUrl ?? urlOfEnvironment());
  try {
    const tasker = await createTasker({
      poolSize: 4,
      handlerMissingGraceMs: 0,
      ...others,
      ...events,
      logger,
      environment,
      templates: used,
      handlers,
      databaseUrl: database.url,
      migrate: false,
    });
    return new TestTasker({ tasker, database, templates });
  } catch (error) {
    await database.drop();
    throw error;
  }
}

/** The server of this machine's environment; a pooler would not let a test make a database. */
function urlOfEnvironment(): string | undefined {
  const { given } = readVariables();
  const found =
    given.find(({ name }) => name === 'databaseDirectUrl') ?? given.find(({ name }) => name === 'databaseUrl');
  return found?.value as string | undefined;
}

const TEST_OPTIONS = { ...TASKER_OPTIONS, stubs: true, keepBackoff: true } as const;

function withoutBackoff(template: TaskTemplate): TaskTemplate {
  const steps = template.steps.map((step) => ({ ...step, retry: { ...step.retry, backoff: 'none' as const } }));
  return { ...template, steps };
}

/** A registry that was given is somebody's: the stubs go into another one in front of it. */
function withStubs(given: HandlerRegistry, stubs: Record<string, TestHandler>, logger: Logger): HandlerRegistry {
  if (Object.keys(stubs).length === 0) return given;
  const registry = new HandlerRegistry({ logger });
  for (const name of given.listHandlers()) {
    if (!Object.hasOwn(stubs, name)) registry.forward(name, given);
  }
  for (const [name, stub] of Object.entries(stubs)) registry.register(name, registrableOf(name, stub));
  return registry;
}

function runOf(task: Task, steps: readonly Step[]): TestRun {
  const run: TestRun = { task, steps: {}, results: {}, errors: {} };
  for (const step of steps) {
    run.steps[step.name] = step;
    if (step.results?.success) run.results[step.name] = step.results.result;
    else if (step.results?.error) run.errors[step.name] = step.results.error;
  }
  return run;
}
