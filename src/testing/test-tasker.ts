import { createTasker } from '../app/create-tasker.ts';
import { eventRegistries, type SubscriberSource } from '../app/event-registries.ts';
import type { TaskTypes } from '../app/known-tasks.ts';
import type {
  Approval,
  SentSignal,
  SignalOptions,
  SignalTarget,
  TokenUse,
  VoteRequest,
} from '../app/operator-types.ts';
import { DiscoveredSubscribers } from '../app/project/discovered-subscribers.ts';
import { loadHandlers } from '../app/project/handler-folders.ts';
import { checkFolders, loadTemplates, type TemplateSource } from '../app/project/load-templates.ts';
import { withWorkflows, workflowWarnings } from '../app/project/with-workflows.ts';
import type { CheckedRequest } from '../app/task-types.ts';
import type { Tasker, TaskHandle, WorkflowTaskOptions } from '../app/tasker.ts';
import { type CreateTaskerOptions, LIMIT_OPTIONS, refuseUnknown, TASKER_OPTIONS } from '../app/tasker-options.ts';
import { readVariables } from '../config/read-variables.ts';
import { DEFAULT_SCHEMA } from '../config/schema-name.ts';
import type { TaskRequest } from '../engine/create-task.ts';
import type { Step, StepError, Task } from '../engine/task-view.ts';
import { TaskerError } from '../errors.ts';
import { SubscriberRegistry } from '../events/subscribing/subscriber-registry.ts';
import { loggerOf } from '../logging/any-logger.ts';
import { type Logger, type LogLine, silentLogger } from '../logging/logger.ts';
import { plainLogger } from '../logging/plain-logger.ts';
import { nearNames } from '../model/near-names.ts';
import { HandlerRegistry } from '../registry/handler-registry.ts';
import { type TaskTemplate, waitsByType } from '../template/task-template.ts';
import { formatProblem } from '../template/template-problem.ts';
import { withUndoSteps } from '../template/undo-steps.ts';
import { type AnyWorkflow, isWorkflow, type Workflow } from '../workflow/workflow.ts';
import type { StepInfos } from '../workflow/workflow-types.ts';
import { registrableOf, type TestHandler } from './handler-of.ts';
import { type TestDatabase, testDatabase } from './test-server.ts';
import { advanceUs, VirtualTime } from './virtual-time.ts';

/** Options of {@link testTasker}: the options of `createTasker`, except that the test kit manages the database. */
export interface TestTaskerOptions
  extends Omit<
    CreateTaskerOptions,
    | 'databaseUrl'
    | 'databaseDirectUrl'
    | 'schema'
    | 'embeddedFolder'
    | 'migrate'
    | 'autoStart'
    | 'worker'
    | 'subscribers'
  > {
  /**
   * The templates: a folder, files, parsed templates, or plain objects with the keys of a template file. Default: those of
   * `workflows`, and of the workflows that the folders of `handlers` export.
   */
  templates?: TemplateSource;
  /**
   * Replacements for the handlers of the same names. Each is a class, an instance, the return value of a `define…()`
   * function, or a function of the context. A name that neither a template nor `handlers` has is an error.
   */
  stubs?: Record<string, TestHandler>;
  /**
   * Subscribers of domain events, in addition to the subscribers in the folders of `handlers`. They run as in
   * production. If false, no subscribers run, not even the subscribers in the folders.
   */
  subscribers?: SubscriberSource | false;
  /** The server on which to create a database. Default: the server of `DATABASE_URL`, else an embedded server. */
  databaseUrl?: string;
  /**
   * Whether to wait between attempts as the templates require. Default false: failed attempts are retried immediately.
   */
  keepBackoff?: boolean;
}

/** The return value of {@link TestTasker.run}. */
export interface TestRun {
  task: Task;
  /** All steps by name. */
  steps: Record<string, Step>;
  /** The results of the completed steps, by step name. */
  results: Record<string, unknown>;
  /** The last errors of the other steps, by step name. */
  errors: Record<string, StepError>;
}

/**
 * A tasker on its own database, created by {@link testTasker}.
 *
 * @example
 * const kit = await testTasker({ templates: './templates', handlers: './handlers' });
 * const { errors } = await kit.run({ context: { order_id: 'O-7' } });
 * console.log(errors.charge?.error_type, await kit.tasker.listTasks());
 * await kit.stop();
 */
export class TestTasker {
  /** The tasker itself, for all other methods. */
  readonly tasker: Tasker;
  /** The URL of this test's database. It contains a password. */
  readonly databaseUrl: string;
  readonly #database: TestDatabase;
  readonly #templates: readonly TaskTemplate[];
  readonly #time: VirtualTime;
  #stopped: Promise<void> | undefined;

  /** @internal */
  constructor(parts: { tasker: Tasker; database: TestDatabase; templates: readonly TaskTemplate[] }) {
    this.tasker = parts.tasker;
    this.databaseUrl = parts.database.url;
    this.#database = parts.database;
    this.#templates = parts.templates;
    this.#time = new VirtualTime(parts.tasker);
  }

  /**
   * Creates a task of a workflow in TypeScript, and waits as the other form of `run` does.
   *
   * @example
   * const { task, results } = await kit.run(fulfil, { id: 'A-1', total: 12 });
   */
  run<Input>(
    workflow: Workflow<Input, StepInfos, unknown>,
    input: Input,
    options?: WorkflowTaskOptions & { timeoutMs?: number },
  ): Promise<TestRun>;
  /**
   * Creates a task and waits until the task is complete, failed or blocked by failures, or until it waits for a time, a
   * signal or another event that the test must cause. If there is only one template, name, namespace and version can be
   * omitted. The types of a request with a name are checked as in `createTask`.
   *
   * @example
   * const { task, results } = await kit.run({ context: { order_id: 'O-7' } });
   * @throws TaskerError the errors of `createTask`; `timeout` after `timeoutMs` (10,000), with the reason why each step
   * waits
   */
  run<Name extends string = string, Namespace extends string = never, Version extends string = never>(
    request?: CheckedRequest<Name, Namespace, Version, TaskTypes, Partial<TaskRequest>> & { request?: never },
    options?: { timeoutMs?: number },
  ): Promise<TestRun>;
  async run(
    target: Partial<TaskRequest> | AnyWorkflow = {},
    given?: unknown,
    more: WorkflowTaskOptions & { timeoutMs?: number } = {},
  ): Promise<TestRun> {
    if (isWorkflow(target)) {
      const { timeoutMs, ...options } = more;
      return this.#run(() => this.tasker.createTask(target, given, options), timeoutMs);
    }
    const { timeoutMs } = (given ?? {}) as { timeoutMs?: number };
    return this.#run(() => this.tasker.createTask(this.#complete(target)), timeoutMs);
  }

  async #run(create: () => Promise<TaskHandle>, timeoutMs = 10_000): Promise<TestRun> {
    const { taskUuid } = await create();
    const task = await this.tasker
      .waitForTask(taskUuid, { timeoutMs, until: 'waiting' })
      .catch(async (error: unknown) => {
        if (!(error instanceof TaskerError) || error.code !== 'timeout') throw error;
        const { steps } = await this.tasker.why(taskUuid);
        // The message already names the steps that wait.
        const open = steps.filter(({ state }) => state !== 'complete' && state !== 'waiting');
        const reasons = open.map(({ step, why }) => `${step}: ${why}`);
        throw new TaskerError('timeout', [error.message, ...reasons].join('; '), { cause: error });
      });
    return runOf(task, await this.tasker.getSteps(taskUuid));
  }

  /**
   * Returns a task with its steps, results and errors, as {@link run} does, in its current state.
   * @throws TaskerError `task_not_found`, `invalid_uuid`
   */
  async getRun(taskUuid: string): Promise<TestRun> {
    return runOf(await this.tasker.getTask(taskUuid), await this.tasker.getSteps(taskUuid));
  }

  /**
   * Advances the time without sleeping. Timers, retries, timeouts, reminders and schedules become due in order. In
   * between, the steps that became ready run. Resolves when no step is ready or running.
   *
   * The duration is in words (`3 days`, `1 hour 30 minutes`), or as in a template: seconds as a number, `90s`, `15m`,
   * `2h`, `7d`, or ISO 8601 (`P3DT12H`). The clocks of the process and of the database do not change: handlers read the
   * real time, which also applies to leases, the timeouts of handlers and the limits of a lifecycle.
   *
   * @example
   * const { task } = await kit.run({ context: { customer: 'C-1' } }); // waits for the end of the trial
   * await kit.advanceTime('14 days');
   * const { results } = await kit.getRun(task.taskUuid);
   * @throws TaskerError `bad_request` if the duration is malformed; `timeout` if steps still run after `timeoutMs`
   * (10,000)
   */
  async advanceTime(duration: string | number, { timeoutMs = 10_000 }: { timeoutMs?: number } = {}): Promise<void> {
    await this.#time.advance(advanceUs(duration), timeoutMs);
  }

  /**
   * Sends a signal, as `tasker.signal` does, and resolves when the steps that became ready have run.
   *
   * @example
   * await kit.signal(task.taskUuid, 'payment_received', { cents: 990 });
   * @throws TaskerError the errors of `signal`; `timeout` if steps still run after 10 s
   */
  async signal(task: SignalTarget, name: string, payload?: unknown, options?: SignalOptions): Promise<SentSignal> {
    return this.#settled(await this.tasker.signal(task, name, payload, options));
  }

  /**
   * Votes on an approval, as `tasker.approvals.vote` does, and resolves when the steps that became ready have run. By default, a
   * person named `tester` approves, with the roles of all assignees.
   *
   * @example
   * await kit.approve(task.taskUuid, 'sign_off', { by: 'ana', comment: 'fine' });
   * await kit.approve(task.taskUuid, 'sign_off', { by: 'bob', decision: 'reject' });
   * @throws TaskerError the errors of `approvals.vote`; `timeout` if steps still run after 10 s
   */
  async approve(taskUuid: string, step: string, vote: Partial<VoteRequest> = {}): Promise<Approval> {
    const { assignees } = await this.tasker.approvals.get(taskUuid, step);
    const request: VoteRequest = { decision: 'approve', by: 'tester', roles: assignees, ...vote };
    return this.#settled(await this.tasker.approvals.vote(taskUuid, step, request));
  }

  /**
   * Completes a step that waits for another system, as `tasker.completeByToken` does, and resolves when the steps
   * that became ready have run.
   *
   * @example
   * await kit.completeByToken(token, { receipt: 'R-7' });
   * @throws TaskerError the errors of `completeByToken`; `timeout` if steps still run after 10 s
   */
  async completeByToken(token: string, result?: unknown): Promise<TokenUse> {
    return this.#settled(await this.tasker.completeByToken(token, result));
  }

  async #settled<T>(value: T): Promise<T> {
    await this.#time.settle(SETTLE_MS);
    return value;
  }

  /** Returns the time that the due times of this kit are compared with: the real time plus the advanced durations. */
  now(): Date {
    return this.#time.now();
  }

  /** Returns the steps of a task in the order of its template. @throws TaskerError `task_not_found` */
  getSteps(taskUuid: string): Promise<Step[]> {
    return this.tasker.getSteps(taskUuid);
  }

  /** Stops the worker, which waits up to half a second for running handlers, and drops the database. */
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
    throw new TaskerError('bad_request', `run: there are several templates; pass the name of one: ${names}`);
  }
}

/**
 * Creates a real tasker for tests, on its own database, which is dropped when the tasker stops. The first call in a
 * process prepares a server (about a second), and later calls take a fraction of a second.
 *
 * The tasker behaves as in production, with a few exceptions. Failed attempts are retried immediately unless
 * `keepBackoff` is set, and a step without a handler fails immediately. Templates have the overrides of the environment
 * `test`. Unless you pass a logger, only the warnings of the start are logged, to standard error.
 *
 * @example
 * const kit = await testTasker({ templates: './templates', handlers: './handlers', stubs: { charge: () => ({ paid: true }) } });
 * const { task, results } = await kit.run({ name: 'order', namespace: 'shop', context: { order_id: 'O-7' } });
 * await kit.stop(); // or `await using kit = …`
 * @throws TaskerError the errors of `createTasker`; `embedded_unsupported` if there is neither a server nor the
 * optional package of the embedded server
 */
export async function testTasker(options: TestTaskerOptions): Promise<TestTasker> {
  refuseUnknown('testTasker', options, TEST_OPTIONS);
  refuseUnknown('testTasker: limits', options.limits, LIMIT_OPTIONS);
  const { stubs = {}, databaseUrl, keepBackoff = false, subscribers, ...rest } = options;
  const { templates: source = [], ...others } = withWorkflows(rest);
  const { environment = 'test' } = others;
  const start = startWarnings();
  const logger = loggerOf(others.logger ?? start.logger);
  const loaded = await loadTemplates(source, environment);
  checkFolders(loaded);
  const events = eventRegistries({ ...others, subscribers: subscribers || undefined }, logger);
  const found = new DiscoveredSubscribers(
    subscribers === false ? { ...events, subscribers: new SubscriberRegistry({ logger }) } : events,
  );
  const { registry: given, workflows } = await loadHandlers(others.handlers ?? [], { logger, found });
  const templates = [...loaded.templates, ...workflows.map(({ template }) => template)];
  for (const line of [
    ...loaded.problems.map(formatProblem),
    ...workflowWarnings([...(rest.workflows ?? []), ...workflows], templates),
  ])
    logger.warn(line);
  const used = keepBackoff ? templates : templates.map(withoutBackoff);
  refuseUnusedStubs(Object.keys(stubs), [
    ...given.listHandlers(),
    ...templates.flatMap(({ steps }) =>
      withUndoSteps(steps)
        .filter(({ type }) => !waitsByType(type))
        .map((step) => step.handler.callable),
    ),
  ]);
  const handlers = withStubs(given, stubs, logger);
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
      schema: DEFAULT_SCHEMA,
      migrate: false,
    });
    return new TestTasker({ tasker, database, templates });
  } catch (error) {
    await database.drop();
    throw error;
  } finally {
    start.end();
  }
}

/** Returns a logger that writes warnings to standard error until `end` is called, and nothing else. */
function startWarnings(): { logger: Logger; end(): void } {
  const warnings = plainLogger({ level: 'warn' });
  let starting = true;
  const warn: LogLine = (first: string | object, message?: string) => {
    if (starting) warnings.warn(typeof first === 'string' ? first : (message ?? ''));
  };
  const isLevelEnabled = (level: string) => starting && warnings.isLevelEnabled!(level);
  const logger: Logger = { ...silentLogger, warn, child: () => logger, isLevelEnabled };
  return { logger, end: () => (starting = false) };
}

/** Returns the server URL from the environment. Prefers the direct URL, because a pooler cannot create databases. */
function urlOfEnvironment(): string | undefined {
  const { given } = readVariables();
  const found =
    given.find(({ name }) => name === 'databaseDirectUrl') ?? given.find(({ name }) => name === 'databaseUrl');
  return found?.value as string | undefined;
}

/** Timeout for the steps after a signal, a vote or a completion. */
const SETTLE_MS = 10_000;

const TEST_OPTIONS = { ...TASKER_OPTIONS, stubs: true, keepBackoff: true } as const;

function withoutBackoff(template: TaskTemplate): TaskTemplate {
  const backoff = 'none' as const;
  const steps = template.steps.map((step) => {
    const rules = step.retry.rules?.map((rule) => ({ ...rule, backoff })) ?? null;
    const undo = step.undo && { ...step.undo, retry: { ...step.undo.retry, backoff } };
    return { ...step, retry: { ...step.retry, backoff, rules }, undo };
  });
  return { ...template, steps };
}

/** Rejects a misspelt stub, because the real handler would run in its place. */
function refuseUnusedStubs(stubs: readonly string[], known: readonly string[]): void {
  const unused = stubs.find((name) => !known.includes(name));
  if (unused === undefined) return;
  const [near] = nearNames(unused, known, 1);
  const way = near === undefined ? `the handlers are ${[...new Set(known)].join(', ')}` : `did you mean ${near}?`;
  throw new TaskerError('config_invalid', `testTasker: stubs: no step uses the handler ${unused}; ${way}`);
}

/** Returns a registry with the stubs in front of the given registry, which belongs to the caller and is not changed. */
function withStubs(given: HandlerRegistry, stubs: Record<string, TestHandler>, logger: Logger): HandlerRegistry {
  if (Object.keys(stubs).length === 0) return given;
  const registry = new HandlerRegistry({ logger, baseFolder: null });
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
