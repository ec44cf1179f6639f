import type { EarlierRun, Step, Task } from '../../app/json/views.ts';
import type { TaskFilter, TaskPageOptions } from '../../app/operator-types.ts';
import type { Tasker, TaskHandle } from '../../app/tasker.ts';
import { type Client, TaskerClientError, type TaskResponse } from '../../client/index.ts';
import { TaskerError } from '../../errors.ts';
import { readVersionedName } from '../../template/template-name.ts';
import { camelKeys, filterQuery, snakeQuery } from './camel-keys.ts';
import { actOf, spanText } from './requests.ts';

type Operator = NonNullable<Parameters<typeof actOf>[0]>;
type Create = Parameters<Tasker['createTask']>;

/** Returns a task of the API in the form of the library. */
function taskOf({ steps: _, ...task }: TaskResponse): Task {
  const { initiator, source_system: source, reason } = task;
  return camelKeys({
    ...task,
    initiator: initiator || null,
    source_system: source || null,
    reason: reason || null,
  });
}

function stepOf({ handler, ...step }: { handler: string }): Step {
  return camelKeys({ ...step, callable: handler });
}

async function stepsOf(client: Client, task: string): Promise<Step[]> {
  return (await client.steps.list(task)).map(stepOf);
}

/** Returns a step by its name or id. @throws TaskerError `step_not_found` */
async function findStep(client: Client, task: string, step: string): Promise<Step> {
  const steps = await stepsOf(client, task);
  const found = steps.find(({ name, stepUuid }) => name === step || stepUuid === step.toLowerCase());
  if (found) return found;
  const names = steps.slice(0, 20).map(({ name }) => name);
  throw new TaskerError('step_not_found', `task ${task} has no step ${step}; it has ${names.join(', ')}`);
}

/** The verbs of a tasker that read tasks and steps, for a server. */
export function remoteTaskReads(client: Client): Partial<Tasker> {
  const { tasks, steps } = client;
  return {
    getTask: async (uuid) => taskOf(await tasks.get(uuid)),
    getSteps: (uuid) => stepsOf(client, uuid),
    getStep: (uuid, step) => findStep(client, uuid, step),
    getEarlierRuns: async (uuid) => camelKeys<EarlierRun[]>((await tasks.runs(uuid)).earlier_runs),
    getCopies: async (uuid) => (await tasks.runs(uuid)).copies,
    getHistory: async (uuid) => {
      const entries: object[] = [];
      for await (const entry of tasks.historyAll(uuid)) entries.push(entry);
      return camelKeys(entries);
    },
    getStepLogs: async (uuid, step) => camelKeys((await steps.logs(uuid, step)).logs),
    why: async (uuid) => camelKeys(await tasks.why(uuid)),
    summarizeTasks: async (filter = {}, { groups } = {}) =>
      camelKeys(await client.installation.summary({ ...filterQuery(filter), ...(groups && { limit: groups }) })),
    listTasks: (async (filter: TaskFilter = {}, { before, ...page }: TaskPageOptions = {}) => {
      if (before !== undefined) {
        throw new TaskerError('bad_request', 'over a server, use --cursor instead of --before');
      }
      const { tasks: found, pagination } = await tasks.list({ ...filterQuery(filter), ...snakeQuery(page) });
      const { total_count: total, ...facts } = pagination;
      return { ...camelKeys<object>(facts), total, tasks: found.map(taskOf) };
    }) as Tasker['listTasks'],
    listSteps: async (filter = {}, page = {}) =>
      camelKeys(await steps.search({ ...filterQuery(filter), ...snakeQuery(page) })),
    async *watchTask(uuid, { signal } = {}) {
      for await (const task of tasks.watch(uuid, { signal })) {
        yield { task: taskOf(task), steps: await stepsOf(client, uuid) };
      }
    },
    getSignal: async (id) =>
      camelKeys(
        await client.signals.get(id).catch((error: unknown) => {
          if (!(error instanceof TaskerClientError) || error.status !== 404) throw error;
          return undefined;
        }),
      ),
    listSignals: async (uuid, options = {}) =>
      camelKeys(await client.signals.list(uuid, snakeQuery(options) as object)),
  };
}

/** The verbs of a tasker that change tasks and steps, for a server. */
export function remoteTaskActs(client: Client): Partial<Tasker> {
  const { tasks, steps } = client;
  const idOf = async (uuid: string, step: string) => (await findStep(client, uuid, step)).stepUuid;
  const person = ({ actor = 'cli', reason }: Parameters<typeof actOf>[0] = {}) => ({ by: actor, reason });
  return {
    createTask: ((request, options) => create(client, request, options)) as Tasker['createTask'],
    cancelTask: (uuid, by) => cancel(client, uuid, by),
    retryTask: async (uuid, by) => (await tasks.retry(uuid, actOf(by))).steps,
    resolveTask: async (uuid, by) => (await tasks.resolve(uuid, actOf(by))).resolved,
    deleteTask: async (uuid, by) => void (await tasks.delete(uuid, actOf(by))),
    startTaskNow: async (uuid, by) => void (await tasks.startNow(uuid, actOf(by))),
    rescheduleTask: async (uuid, to, by) => {
      const time = typeof to === 'object' && 'delayMs' in to ? { in: spanText(to.delayMs) } : { at: String(to) };
      return (await tasks.reschedule(uuid, { ...time, ...actOf(by) })).start_at;
    },
    rerunTask: async (uuid, { from, dryRun = false, ...by }) =>
      camelKeys(await tasks.rerun(uuid, { from, dry_run: dryRun, ...actOf(by) })),
    copyTask: async (uuid, { context, idempotencyKey, ...by } = {}) => {
      const given = { ...(context && { context }), ...(idempotencyKey && { idempotency_key: idempotencyKey }) };
      const { copy_of: _, ...copy } = await tasks.copy(uuid, { ...given, ...actOf(by) });
      return camelKeys(copy);
    },
    pause: (target, by) => pausing(client, 'pause', target, by),
    resume: (target, by) => pausing(client, 'resume', target, by),
    retryStep: async (uuid, step, by) => void (await steps.retry(uuid, step, actOf(by))),
    resetStep: async (uuid, step, by) => void (await steps.reset(uuid, await idOf(uuid, step), person(by))),
    resolveStep: async (uuid, step, { result, ...by }: Operator & { result?: unknown } = {}) =>
      void (await steps.resolve(uuid, await idOf(uuid, step), {
        ...person(by),
        ...(result !== undefined && { result }),
      })),
    completeStep: async (uuid, step, { result, metadata, ...by } = {}) =>
      void (await steps.complete(uuid, await idOf(uuid, step), { ...person(by), result, metadata })),
    fireTimer: async (uuid, step, by) => void (await steps.fire(uuid, step, actOf(by))),
    moveTimer: async (uuid, step, to, by) => {
      const time = typeof to === 'object' && 'delayMs' in to ? { in: spanText(to.delayMs) } : { until: String(to) };
      return (await steps.move(uuid, step, { ...time, ...actOf(by) })).until;
    },
    signal: (async (target, name, payload, { by, idempotencyKey } = {}) => {
      const signal = { name, payload, ...snakeQuery({ by, idempotencyKey }) };
      if (typeof target === 'string') return camelKeys(await client.signals.send(target, signal));
      if ('correlationId' in target) {
        return camelKeys(await client.signals.sendTo({ ...signal, correlation_id: target.correlationId }));
      }
      const { namespace = 'default', name: of, version, idempotencyKey: key } = target;
      const template = `${namespace}/${of}${version === undefined ? '' : `@${version}`}`;
      return camelKeys(await client.signals.sendTo({ ...signal, template, key }));
    }) as Tasker['signal'],
    activateTemplate: (template, by) => activating(client, template, by),
  };
}

/** Activates a version of a template on the server. */
async function activating(
  client: Client,
  template: string,
  by: Parameters<Tasker['activateTemplate']>[1],
): ReturnType<Tasker['activateTemplate']> {
  const { namespace = 'default', name, version } = readVersionedName(template);
  return camelKeys(await client.templates.activate({ namespace, name, version }, actOf(by)));
}

async function pausing(
  client: Client,
  verb: 'pause' | 'resume',
  target: Parameters<Tasker['pause']>[0],
  by: Parameters<Tasker['pause']>[1],
): ReturnType<Tasker['pause']> {
  const { task, namespace, template } = target as { task?: string; namespace?: string; template?: string };
  if (task !== undefined) return camelKeys(await client.tasks[verb](task, actOf(by)));
  if (namespace !== undefined) return camelKeys(await client.namespaces[verb](namespace, actOf(by)));
  const [, of = 'default', name = '', version] = /^(?:([^/]+)\/)?([^@]+)(?:@(.+))?$/.exec(template ?? '') ?? [];
  return camelKeys(await client.templates[verb]({ namespace: of, name, version }, actOf(by)));
}

async function create(
  client: Client,
  { startAt, delayMs, ...request }: Create[0],
  { onDuplicate = 'error' }: { onDuplicate?: 'error' | 'return' } = {},
): Promise<TaskHandle> {
  const { context, ...given } = request;
  const start = snakeQuery({ startAt, startIn: delayMs === undefined ? undefined : spanText(delayMs) });
  const body = { ...snakeQuery(given), ...start, ...(context !== undefined && { context }) } as { name: string };
  const task = await client.tasks.create(body, { returnExisting: onDuplicate === 'return' });
  const { taskUuid, name, namespace, version, priority, totalSteps } = taskOf(task);
  return { taskUuid, name, namespace, version, priority, totalSteps, created: task.created };
}

async function cancel(client: Client, uuid: string, by: Parameters<Tasker['cancelTask']>[1]): Promise<boolean> {
  try {
    await client.tasks.cancel(uuid, actOf(by));
    return true;
  } catch (error) {
    if (!(error instanceof TaskerClientError) || error.status !== 400 || error.code === 'INVALID_UUID') throw error;
    // The server refuses to cancel a task that has ended. A database does not report that as an error.
    return false;
  }
}
