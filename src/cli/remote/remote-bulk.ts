import type { Tasker } from '../../app/tasker.ts';
import type { BulkActRequest, Client } from '../../client/index.ts';
import { TaskerError } from '../../errors.ts';
import { type CallVerb, decoded } from './call.ts';
import { actOf, positionCursor, requestOf } from './requests.ts';

type Bulk = Tasker['bulk'];
type BulkAct = ReturnType<Bulk['retry']>;
type Target = Parameters<Bulk['retry']>[0];
type Options = NonNullable<Parameters<Bulk['resolveSteps']>[1]>;

/** A bulk action that the server runs. The server selects the items when the action begins, after the preview. */
class RemoteBulkAct {
  readonly #client: Client;
  readonly #begin: () => Promise<{ id: number }>;
  readonly #request: BulkActRequest | undefined;
  readonly #signal: AbortSignal | undefined;
  #id: number | undefined;

  constructor(client: Client, start: BulkActRequest | { id: number; by: object }, signal: AbortSignal | undefined) {
    this.#client = client;
    this.#signal = signal;
    this.#request = 'action' in start ? start : undefined;
    this.#begin = () => ('action' in start ? client.bulkActs.start(start) : client.bulkActs.resume(start.id, start.by));
  }

  async preview() {
    return decoded('bulkActs.preview', await this.#client.bulkActs.preview(this.#request!));
  }

  async discard(): Promise<void> {
    // Nothing is stored before the act begins.
  }

  /** Starts or resumes the action, and yields its progress. The caller's signal stops the action on the server. */
  async *[Symbol.asyncIterator]() {
    this.#signal?.throwIfAborted();
    const { id } = await this.#begin();
    this.#id = id;
    try {
      for await (const report of this.#client.bulkActs.follow(id, { signal: this.#signal })) {
        const { action, matched, done, skipped_count: skipped, failed_count: failed } = report;
        yield { id, action, matched, done, skipped, failed };
      }
    } catch (error) {
      if (this.#signal?.aborted) await this.#client.bulkActs.stop(id);
      throw error;
    }
  }

  async result() {
    if (this.#id === undefined) for await (const _ of this);
    return decoded('bulkActs.get', await this.#client.bulkActs.get(this.#id!));
  }
}

/** The methods of `tasker.bulk` that differ from the verbs of a server. */
export function remoteBulk(client: Client, call: CallVerb): Partial<Bulk> {
  const acting = (action: BulkActRequest['action']) => (target: Target, options?: Options) =>
    bulkAct(client, action, target, options);
  return {
    retry: acting('task_retry'),
    cancel: acting('task_cancel'),
    resolve: acting('task_resolve'),
    delete: acting('task_delete'),
    undo: acting('task_undo'),
    retrySteps: acting('step_retry'),
    resetSteps: acting('step_reset'),
    resolveSteps: acting('step_resolve'),
    list: async ({ limit, before } = {}) => {
      const cursor = before === undefined ? undefined : positionCursor(before);
      return (await call<{ bulkActs: Awaited<ReturnType<Bulk['list']>> }>('bulkActs.list', { limit, cursor })).bulkActs;
    },
    resume: (id, { signal, ...by } = {}) =>
      new RemoteBulkAct(client, { id, by: actOf(by) }, signal) as unknown as BulkAct,
  };
}

/** Returns an action on the items of a target. */
export function bulkAct(
  client: Client,
  action: BulkActRequest['action'],
  target: object,
  { signal, result, ...by }: Options = {},
): BulkAct {
  const request = { action, ...itemsOf(target), ...actOf(by), ...(result !== undefined && { result }) };
  return new RemoteBulkAct(client, request, signal) as unknown as BulkAct;
}

function itemsOf(target: object): Pick<BulkActRequest, 'filter' | 'ids' | 'steps'> {
  if ('ids' in target) return { ids: target.ids as string[] };
  if (!('steps' in target)) return { filter: requestOf(target) };
  const steps = target.steps as readonly (string | { taskUuid: string; step: string })[];
  const ids = steps.filter((step) => typeof step === 'string');
  const places = steps.filter((step) => typeof step !== 'string');
  if (ids.length > 0 && places.length > 0) {
    throw new TaskerError('bad_request', 'over a server, name all steps by their ids, or all as TASK/STEP');
  }
  if (ids.length > 0) return { ids };
  return { steps: places.map(({ taskUuid, step }) => ({ task_uuid: taskUuid, step })) };
}
