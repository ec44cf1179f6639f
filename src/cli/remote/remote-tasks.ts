import type { Step, Task } from '../../app/json/views.ts';
import type { TaskFilter, TaskPageOptions } from '../../app/operator-types.ts';
import type { Tasker, TaskHandle } from '../../app/tasker.ts';
import { type Client, TaskerClientError, type TaskResponse } from '../../client/index.ts';
import { TaskerError } from '../../errors.ts';
import { readVersionedName } from '../../template/template-name.ts';
import { type CallVerb, decoded } from './call.ts';
import { actOf, filterQuery, requestOf, spanText } from './requests.ts';

type Operator = NonNullable<Parameters<typeof actOf>[0]>;
type Create = Parameters<Tasker['createTask']>;
type Time = Parameters<Tasker['moveTimer']>[2];

/** Returns a task of the API, which has texts instead of null and some facts of its steps, in the form of the library. */
function taskOf({ steps: _, ...task }: Task & { steps?: unknown }): Task {
  const { initiator, sourceSystem, reason } = task;
  return { ...task, initiator: initiator || null, sourceSystem: sourceSystem || null, reason: reason || null };
}

async function stepsOf(call: CallVerb, task: string): Promise<Step[]> {
  const steps = await call<(Step & { handler: string })[]>('steps.list', task);
  return steps.map(({ handler, ...step }) => ({ ...step, callable: handler }));
}

/** Returns a step by its name or id. @throws TaskerError `step_not_found` */
async function findStep(call: CallVerb, task: string, step: string): Promise<Step> {
  const steps = await stepsOf(call, task);
  const found = steps.find(({ name, stepUuid }) => name === step || stepUuid === step.toLowerCase());
  if (found) return found;
  const names = steps.slice(0, 20).map(({ name }) => name);
  throw new TaskerError('step_not_found', `task ${task} has no step ${step}; it has ${names.join(', ')}`);
}

/** The methods of a tasker that read tasks and steps, for a server. */
export function remoteTaskReads(client: Client, call: CallVerb): Partial<Tasker> {
  return {
    getTask: async (uuid) => taskOf(await call('tasks.get', uuid)),
    getSteps: (uuid) => stepsOf(call, uuid),
    getStep: (uuid, step) => findStep(call, uuid, step),
    getHistory: async (uuid) => {
      const entries: object[] = [];
      for await (const entry of client.tasks.historyAll(uuid)) entries.push(entry);
      return decoded<{ entries: Awaited<ReturnType<Tasker['getHistory']>> }>('tasks.history', { entries }).entries;
    },
    summarizeTasks: (filter = {}, { groups } = {}) =>
      call('installation.summary', filterQuery(filter), { limit: groups }),
    listTasks: (async (filter: TaskFilter = {}, { before, ...page }: TaskPageOptions = {}) => {
      if (before !== undefined) {
        throw new TaskerError('bad_request', 'over a server, use --cursor instead of --before');
      }
      type Page = { tasks: Task[]; pagination: { totalCount: number } };
      const { tasks, pagination } = await call<Page>('tasks.list', filterQuery(filter), page);
      const { totalCount: total, ...facts } = pagination;
      return { ...facts, total, tasks: tasks.map(taskOf) };
    }) as Tasker['listTasks'],
    listSteps: (filter = {}, page = {}) => call('steps.search', filterQuery(filter), page),
    async *watchTask(uuid, { signal } = {}) {
      for await (const task of client.tasks.watch(uuid, { signal })) {
        yield { task: taskOf(decoded('tasks.get', task)), steps: await stepsOf(call, uuid) };
      }
    },
    getSignal: (id) =>
      call<never>('signals.get', id).catch((error: unknown) => {
        if (!(error instanceof TaskerClientError) || error.status !== 404) throw error;
        return undefined;
      }),
  };
}

/** The methods of a tasker that change tasks and steps, for a server. */
export function remoteTaskActs(client: Client, call: CallVerb): Partial<Tasker> {
  const { steps } = client;
  const idOf = async (uuid: string, step: string) => (await findStep(call, uuid, step)).stepUuid;
  const person = ({ actor = 'cli', reason }: Operator = {}) => ({ by: actor, reason });
  /** A time, or a duration from now. */
  const timeOf = (to: Time, name: 'at' | 'until') =>
    typeof to === 'object' && 'delayMs' in to ? { in: spanText(to.delayMs) } : { [name]: String(to) };
  return {
    createTask: ((...[request, options]: Create) => create(client, request, options)) as Tasker['createTask'],
    cancelTask: (uuid, by) => cancel(call, uuid, by),
    rescheduleTask: async (uuid, to, by) =>
      (await call<{ startAt: string }>('tasks.reschedule', uuid, timeOf(to, 'at'), by)).startAt,
    pause: (target, by) => pausing(client, 'pause', target, by),
    resume: (target, by) => pausing(client, 'resume', target, by),
    resetStep: async (uuid, step, by) => void (await steps.reset(uuid, await idOf(uuid, step), person(by))),
    resolveStep: async (uuid, step, { result, ...by }: Operator & { result?: unknown } = {}) =>
      void (await steps.resolve(uuid, await idOf(uuid, step), {
        ...person(by),
        ...(result !== undefined && { result }),
      })),
    completeStep: async (uuid, step, { result, metadata, ...by } = {}) =>
      void (await steps.complete(uuid, await idOf(uuid, step), { ...person(by), result, metadata })),
    moveTimer: async (uuid, step, to, by) =>
      (await call<{ until: string }>('steps.move', uuid, step, timeOf(to, 'until'), by)).until,
    signal: ((target, name, payload, { by, idempotencyKey } = {}) => {
      const signal = { name, payload, by, idempotencyKey };
      if (typeof target === 'string') return call('signals.send', target, signal);
      if ('correlationId' in target) return call('signals.sendTo', signal, { correlationId: target.correlationId });
      const { namespace = 'default', name: of, version, idempotencyKey: key } = target;
      const template = `${namespace}/${of}${version === undefined ? '' : `@${version}`}`;
      return call('signals.sendTo', signal, { template, key });
    }) as Tasker['signal'],
    activateTemplate: async (template, by) => {
      const { namespace = 'default', name, version } = readVersionedName(template);
      return decoded('templates.activate', await client.templates.activate({ namespace, name, version }, actOf(by)));
    },
  };
}

async function pausing(
  client: Client,
  verb: 'pause' | 'resume',
  target: Parameters<Tasker['pause']>[0],
  by: Parameters<Tasker['pause']>[1],
): ReturnType<Tasker['pause']> {
  const { task, namespace, template } = target as { task?: string; namespace?: string; template?: string };
  if (task !== undefined) return decoded(`tasks.${verb}`, await client.tasks[verb](task, actOf(by)));
  if (namespace !== undefined)
    return decoded(`namespaces.${verb}`, await client.namespaces[verb](namespace, actOf(by)));
  const [, of = 'default', name = '', version] = /^(?:([^/]+)\/)?([^@]+)(?:@(.+))?$/.exec(template ?? '') ?? [];
  return decoded(`templates.${verb}`, await client.templates[verb]({ namespace: of, name, version }, actOf(by)));
}

async function create(
  client: Client,
  { delayMs, ...request }: Create[0],
  { onDuplicate = 'error' }: { onDuplicate?: 'error' | 'return' } = {},
): Promise<TaskHandle> {
  const body = requestOf({ ...request, startIn: delayMs === undefined ? undefined : spanText(delayMs) });
  const created: TaskResponse = await client.tasks.create(body as never, { returnExisting: onDuplicate === 'return' });
  const task = decoded<Task & TaskHandle>('tasks.create', created);
  const { taskUuid, name, namespace, version, priority, totalSteps, outcome, rule, replacedTaskUuid } = task;
  const answer = { created: task.created, outcome, rule, replacedTaskUuid };
  return { taskUuid, name, namespace, version, priority, totalSteps, ...answer };
}

async function cancel(call: CallVerb, uuid: string, by: Parameters<Tasker['cancelTask']>[1]): Promise<boolean> {
  try {
    await call('tasks.cancel', uuid, by);
    return true;
  } catch (error) {
    if (!(error instanceof TaskerClientError) || error.status !== 400 || error.code === 'INVALID_UUID') throw error;
    // The server refuses to cancel a task that has ended. A database does not report that as an error.
    return false;
  }
}
