import { setTimeout as sleep } from 'node:timers/promises';
import type { DeadLetterChange } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { type Client, createClient } from '../../client/index.ts';
import { TaskerError } from '../../errors.ts';
import { templateFromJson } from '../../template/template-json.ts';
import { type CallVerb, callerOf } from './call.ts';
import { type ChosenServer, refuseServer } from './choose-server.ts';
import { derivedMethods } from './derived-methods.ts';
import { bulkAct, remoteBulk } from './remote-bulk.ts';
import { remoteEvents } from './remote-events.ts';
import { remoteTaskActs, remoteTaskReads } from './remote-tasks.ts';
import { reporting, serverError } from './server-error.ts';

/** The client of a remote tasker. */
const CLIENT = Symbol('client');

/** Returns the client of a server. Undefined if the tasker uses a database. */
export function clientOf(tasker: Tasker): Client | undefined {
  return (tasker as { [CLIENT]?: Client })[CLIENT];
}

/**
 * Returns a tasker whose verbs call a server. Results have the same form as results from a database, so commands need
 * not distinguish the two. A call of a verb that the server does not offer is rejected.
 */
export function remoteTasker(server: ChosenServer): Tasker {
  const { url, apiKey, token } = server;
  let client: Client;
  try {
    client = createClient({ baseUrl: url, apiKey, token });
  } catch (error) {
    throw serverError(error, url);
  }
  const call = callerOf(client);
  const derived = derivedMethods(call);
  const verbs = {
    ...derived,
    [CLIENT]: client,
    place: url,
    ...remoteTaskReads(client, call),
    ...remoteTaskActs(client, call),
    ...remoteWorkers(call),
    bulk: { ...derived.bulk, ...remoteBulk(client, call) },
    approvals: { ...derived.approvals, ...remoteApprovals(call) },
    schedules: { ...derived.schedules, ...remoteSchedules(call) },
    deadLetters: { ...derived.deadLetters, ...remoteDeadLetters(client, call) },
    events: { ...derived.events, ...remoteEvents(client, call) },
    engine: remoteEngine(client, call),
  };
  return reporting(verbs, url, () => refuseServer(server)) as never;
}

type Worker = Awaited<ReturnType<Tasker['drainWorker']>>['worker'];

function remoteWorkers(call: CallVerb): Partial<Tasker> {
  return {
    listWorkers: async ({ namespace, state, endedWithinMs } = {}) => {
      const joined = (given?: string | readonly string[]) => given && [given].flat().join(',');
      const query = { namespace: joined(namespace), state: joined(state), all: endedWithinMs && true };
      return (await call<{ workers: Worker[] }>('workers.list', query)).workers;
    },
    drainWorker: (name, options) => drain(call, String(name), options),
    resumeWorker: async (name, by) => {
      const { changed, ...worker } = await call<Worker & { changed: boolean }>('workers.resume', name, by);
      return { worker, changed };
    },
  };
}

const DRAIN_POLL_MS = 400;

async function drain(call: CallVerb, name: string, options: Parameters<Tasker['drainWorker']>[1] = {}) {
  const { wait = false, timeoutMs = Number.POSITIVE_INFINITY, signal, onProgress, ...by } = options;
  const until = performance.now() + timeoutMs;
  type Drained = Worker & { changed: boolean; leftNamespaces: string[] };
  const { changed, leftNamespaces: left, ...asked } = await call<Drained>('workers.drain', name, by);
  let worker: Worker = asked;
  while (wait && worker.state !== 'drained' && worker.state !== 'stopped' && worker.state !== 'lost') {
    onProgress?.(worker);
    if (performance.now() >= until) {
      const ms = Math.round(timeoutMs);
      throw new TaskerError('timeout', `worker ${worker.name} still holds steps after ${ms} ms; it keeps draining`);
    }
    await sleep(Math.min(DRAIN_POLL_MS, Math.max(0, until - performance.now())), undefined, { signal });
    worker = await call<Worker>('workers.get', name);
  }
  return { worker, changed, left };
}

function remoteApprovals(call: CallVerb): Partial<Tasker['approvals']> {
  return {
    reassign: (task, step, { to, by, reason }) =>
      call('approvals.reassign', task, step, to.length > 0 ? { to: [to].flat() } : { everyone: true }, { by, reason }),
  };
}

type Schedule = Awaited<ReturnType<Tasker['schedules']['get']>>;

function remoteSchedules(call: CallVerb): Partial<Tasker['schedules']> {
  return {
    list: async ({ state, source } = {}, { limit, after } = {}) => {
      const query = { state, source, limit, cursor: after };
      return (await call<{ schedules: Schedule[] }>('schedules.list', query)).schedules;
    },
    // As many due times as the library returns.
    get: (name) => call('schedules.get', name, { limit: 5 }),
    firings: async (name, { limit = 50, before } = {}) =>
      (await call<Schedule>('schedules.get', name, { limit, before })).last,
    async *backfilling(name, { from, to, ...options }) {
      yield await call('schedules.backfill', name, { from: new Date(from), to: new Date(to) }, options);
    },
  };
}

type DeadLetterStats = Awaited<ReturnType<Tasker['deadLetters']['stats']>>[number];

function remoteDeadLetters(client: Client, call: CallVerb): Partial<Tasker['deadLetters']> {
  const zoned = <Time extends string | null>(time: Time) => time && (`${time}Z` as Time);
  const snake = (name: string) => name.replace(/(?!^)[A-Z]/g, (sign) => `_${sign}`).toLowerCase();
  return {
    add: (task, options) => call('deadLetters.add', { task_uuid: task }, options),
    update: async (ids, change, by) => {
      let changed = 0;
      for (const id of [ids].flat()) changed += await changeOne(call, id, change, by);
      return changed;
    },
    redriveAll: (target, options) => bulkAct(client, 'task_redrive', target, options),
    // The route has the names and times of the described system.
    stats: async (filter = {}) =>
      (await call<DeadLetterStats[]>('deadLetters.stats', filter)).map((row) => ({
        ...row,
        dlqReason: snake(row.dlqReason) as typeof row.dlqReason,
        oldestEntry: zoned(row.oldestEntry),
        newestEntry: zoned(row.newestEntry),
        oldestPending: zoned(row.oldestPending),
      })),
  };
}

/** Returns the number of changed entries. A remark has its own route; all other fields change in one request. */
async function changeOne(
  call: CallVerb,
  id: string,
  { note, status: resolutionStatus, ...change }: DeadLetterChange,
  by: { actor?: string; reason?: string } = {},
): Promise<number> {
  const fields = { resolutionStatus, ...change };
  if (note === undefined || Object.values(fields).some((value) => value !== undefined)) {
    const { actor: resolvedBy, reason } = by;
    await call('deadLetters.update', id, { ...fields, resolvedBy, reason });
  }
  // A closed entry accepts remarks, too.
  if (note !== undefined) await call('deadLetters.note', id, { note }, by);
  return 1;
}

function remoteEngine(client: Client, call: CallVerb): object {
  const { templates } = client;
  return {
    // The server wakes its workers.
    announce: { work: async () => undefined },
    listNamespaces: async () => {
      const { namespaces } = await call<{ namespaces: { pause: unknown }[] }>('namespaces.list');
      return namespaces.map(({ pause: _, ...one }) => one);
    },
    snapshotOf: async (uuid: string) => {
      type Steps = { template: { steps: { name: string; dependencies: string[]; elementOf?: string }[] } };
      const { steps } = (await call<Steps>('tasks.summary', uuid)).template;
      const names = steps.map(({ name }) => name);
      const parents = steps.map(({ dependencies }) => dependencies.map((one) => names.indexOf(one)));
      const elementOf = new Map(
        steps.flatMap((step, idx) =>
          step.elementOf === undefined ? [] : [[idx, names.indexOf(step.elementOf)] as const],
        ),
      );
      return { graph: { names, parents, elementOf } };
    },
    templates: {
      list: async () => {
        const all = await call<{ templates: { stepCount: number; paused: unknown }[] }>('templates.list');
        return all.templates.map(({ stepCount: steps, paused: _, ...row }) => ({ ...row, steps }));
      },
      newest: async (namespace: string, name: string, version: string) => {
        const { template, digest } = await templates.source({ namespace, name, version });
        return { template: templateFromJson(template), digest };
      },
    },
  };
}
