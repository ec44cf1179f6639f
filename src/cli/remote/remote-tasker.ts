import { setTimeout as sleep } from 'node:timers/promises';
import type { DeadLetterChange } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { type Act, type Client, createClient } from '../../client/index.ts';
import { TaskerError } from '../../errors.ts';
import { templateFromJson } from '../../template/template-json.ts';
import { camelKeys, snakeQuery } from './camel-keys.ts';
import { type ChosenServer, refuseServer } from './choose-server.ts';
import { bulkAct, remoteBulk } from './remote-bulk.ts';
import { remoteEvents } from './remote-events.ts';
import { remoteTaskActs, remoteTaskReads } from './remote-tasks.ts';
import { actOf } from './requests.ts';
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
  const verbs = {
    [CLIENT]: client,
    place: url,
    ...remoteTaskReads(client),
    ...remoteTaskActs(client),
    ...remoteOverview(client),
    bulk: remoteBulk(client),
    approvals: remoteApprovals(client),
    schedules: remoteSchedules(client),
    deadLetters: remoteDeadLetters(client),
    events: remoteEvents(client),
    engine: remoteEngine(client),
  };
  return reporting(verbs, url, () => refuseServer(server)) as never;
}

function remoteOverview(client: Client): Partial<Tasker> {
  const { installation, workers } = client;
  return {
    status: async () => {
      const { open, ...status } = await installation.status();
      return { ...camelKeys<object>(status), open } as never;
    },
    analytics: async (options = {}) => camelKeys(await installation.stats(snakeQuery(options) as object)),
    pauses: async ({ limit } = {}) => camelKeys((await installation.pauses(limit ? { limit } : {})).pauses),
    audit: async (filter = {}, page = {}) =>
      camelKeys(await client.audit.list({ ...snakeQuery(filter), ...snakeQuery(page) } as object)),
    queues: async ({ namespace } = {}) => camelKeys((await workers.queues(namespace ? { namespace } : {})).queues),
    listWorkers: async ({ namespace, state, endedWithinMs } = {}) => {
      const joined = (given?: string | readonly string[]) => given && [given].flat().join(',');
      const query = snakeQuery({ namespace: joined(namespace), state: joined(state), all: endedWithinMs && true });
      return camelKeys((await workers.list(query as object)).workers);
    },
    getWorker: async (name) => camelKeys(await workers.get(String(name))),
    drainWorker: (name, options) => drain(client, String(name), options),
    resumeWorker: async (name, by) => {
      const { changed, ...worker } = await workers.resume(String(name), actOf(by));
      return { worker: camelKeys(worker), changed };
    },
  };
}

const DRAIN_POLL_MS = 400;

async function drain(client: Client, name: string, options: Parameters<Tasker['drainWorker']>[1] = {}) {
  const { wait = false, timeoutMs = Number.POSITIVE_INFINITY, signal, onProgress, ...by } = options;
  const until = performance.now() + timeoutMs;
  const { changed, left_namespaces: left, ...asked } = await client.workers.drain(name, actOf(by));
  type Worker = Awaited<ReturnType<Tasker['drainWorker']>>['worker'];
  let worker = camelKeys<Worker>(asked);
  while (wait && worker.state !== 'drained' && worker.state !== 'stopped' && worker.state !== 'lost') {
    onProgress?.(worker);
    if (performance.now() >= until) {
      const ms = Math.round(timeoutMs);
      throw new TaskerError('timeout', `worker ${worker.name} still holds steps after ${ms} ms; it keeps draining`);
    }
    await sleep(Math.min(DRAIN_POLL_MS, Math.max(0, until - performance.now())), undefined, { signal });
    worker = camelKeys<Worker>(await client.workers.get(name, { signal }));
  }
  return { worker, changed, left };
}

function remoteApprovals({ approvals }: Client): Partial<Tasker['approvals']> {
  return {
    list: async (filter = {}, page = {}) =>
      camelKeys(await approvals.list({ ...snakeQuery(filter), ...snakeQuery(page) } as object)),
    get: async (task, step) => camelKeys(await approvals.get(task, step)),
    vote: async (task, step, { decision, by, comment, form, roles }) => {
      const vote = { decision, by, ...(comment != null && { comment }), ...(form !== undefined && { form }) };
      return camelKeys(await approvals.vote(task, step, { ...vote, ...(roles && { roles: [...roles] }) }));
    },
    reassign: async (task, step, { to, by, reason }) => {
      const act = actOf({ actor: by, reason });
      return camelKeys(
        await approvals.reassign(task, step, to.length > 0 ? { to: [to].flat(), ...act } : { everyone: true, ...act }),
      );
    },
  };
}

function remoteSchedules({ schedules }: Client): Partial<Tasker['schedules']> {
  /** The context keeps its keys. */
  const settings = ({ context, ...rest }: { context?: unknown }) => ({
    ...snakeQuery(rest),
    ...(context !== undefined && { context }),
  });
  return {
    list: async ({ state, source } = {}, { limit, after } = {}) =>
      camelKeys((await schedules.list(snakeQuery({ state, source, limit, cursor: after }) as object)).schedules),
    get: async (name) => camelKeys(await schedules.get(name, { limit: 5 })),
    firings: async (name, { limit = 50, before } = {}) =>
      camelKeys((await schedules.get(name, { limit, ...(before !== undefined && { before }) })).last),
    create: async (schedule, { paused = false, ifExists = 'error', ...by } = {}) => {
      const request = { ...settings(schedule), paused, if_exists: ifExists, ...actOf(by) };
      return camelKeys(await schedules.create(request as never));
    },
    update: async (name, change, by) =>
      camelKeys(await schedules.update(name, { ...settings(change), ...actOf(by) } as never)),
    pause: async (name, by) => (await schedules.pause(name, actOf(by))).changed,
    resume: async (name, by) => (await schedules.resume(name, actOf(by))).changed,
    delete: async (name, by) => void (await schedules.delete(name, actOf(by))),
    trigger: async (name, { context, idempotencyKey, ...by } = {}) => {
      const given = { ...(context && { context }), ...(idempotencyKey && { idempotency_key: idempotencyKey }) };
      return (await schedules.trigger(name, { ...given, ...actOf(by) })).task_uuid;
    },
    async *backfilling(name, { from, to, dryRun = false, ...by }) {
      const range = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
      yield camelKeys(await schedules.backfill(name, { ...range, dry_run: dryRun, ...actOf(by) }));
    },
  };
}

function remoteDeadLetters(client: Client): Partial<Tasker['deadLetters']> {
  const { deadLetters } = client;
  const zoned = (time: string | null) => time && `${time}Z`;
  const snake = (name: string) => name.replace(/(?!^)[A-Z]/g, (sign) => `_${sign}`).toLowerCase();
  return {
    list: async (filter = {}, page = {}) =>
      camelKeys(await deadLetters.search({ ...snakeQuery(filter), ...snakeQuery(page) } as object)),
    get: async (id) => camelKeys(await deadLetters.get(id)),
    add: async (task, { assignee, priority, metadata, ...by } = {}) => {
      const given = { ...snakeQuery({ assignee, priority }), ...(metadata && { metadata }) };
      return camelKeys(await deadLetters.add({ task_uuid: task, ...given, ...actOf(by) }));
    },
    update: async (ids, change, by) => {
      let changed = 0;
      for (const id of [ids].flat()) changed += await changeOne(client, id, change, actOf(by));
      return changed;
    },
    redrive: async (id, by) => camelKeys(await deadLetters.redrive(id, actOf(by))),
    redriveAll: (target, options) => bulkAct(client, 'task_redrive', target, options),
    stats: async (filter = {}) =>
      (await deadLetters.stats(snakeQuery(filter) as object)).map((row) =>
        camelKeys({
          ...row,
          dlq_reason: snake(row.dlq_reason),
          oldest_entry: zoned(row.oldest_entry),
          newest_entry: zoned(row.newest_entry),
          oldest_pending: zoned(row.oldest_pending),
        }),
      ),
    staleness: async ({ limit } = {}) => camelKeys(await deadLetters.staleness(limit ? { limit } : {})),
  };
}

/** Each kind of change has its own route. Returns the number of changed entries. */
async function changeOne({ deadLetters }: Client, id: string, change: DeadLetterChange, by: Act): Promise<number> {
  const { status, resolutionNotes: notes, note, assignee, priority } = change;
  let changed = 0;
  const did = (answer: { changed: number }) => {
    changed = Math.max(changed, answer.changed);
  };
  if (assignee !== undefined || priority !== undefined) {
    const to = { ...(assignee !== undefined && { to: assignee }), ...(priority !== undefined && { priority }) };
    did(await deadLetters.assign(id, { ...to, ...by }));
  }
  if (note !== undefined) did(await deadLetters.note(id, { note, ...by }));
  if (status !== undefined) did(await deadLetters.resolve(id, { status, ...snakeQuery({ notes }), ...by }));
  else if (notes !== undefined) {
    await deadLetters.update(id, { resolution_notes: notes, resolved_by: by.by, reason: by.reason });
    did({ changed: 1 });
  }
  return changed;
}

function remoteEngine(client: Client): object {
  const { tasks, templates, namespaces } = client;
  return {
    // The server wakes its workers.
    announce: { work: async () => undefined },
    listNamespaces: async () => camelKeys((await namespaces.list()).namespaces.map(({ pause: _, ...one }) => one)),
    snapshotOf: async (uuid: string) => {
      const { steps } = (await tasks.summary(uuid)).template;
      const names = steps.map(({ name }) => name);
      return {
        graph: { names, parents: steps.map(({ dependencies }) => dependencies.map((one) => names.indexOf(one))) },
      };
    },
    templates: {
      list: async () =>
        (await templates.list()).templates.map(({ step_count: steps, paused: _, ...row }) =>
          camelKeys({ ...row, steps }),
        ),
      newest: async (namespace: string, name: string, version: string) => {
        const { template, digest } = await templates.source({ namespace, name, version });
        return { template: templateFromJson(template), digest };
      },
    },
  };
}
