import { listHandlers } from '../../app/overview/handlers.ts';
import type { WorkerInfo } from '../../app/overview/workers.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import type { Caller } from '../caller.ts';
import { pageOf } from '../positions.ts';
import { maySee } from '../scope.ts';
import type { BodiesOf } from '../verb-routes.ts';

const DAY_MS = 86_400_000;
const WHOLE = { nextCursor: null, previousCursor: null };

/** The bodies of the verbs for workers, queues and handlers. */
export function workerVerbs(tasker: Tasker): BodiesOf<'workers'> {
  return {
    async list({ namespace, state, all, ...page }, { caller }) {
      const found = await tasker.listWorkers({
        ...(state !== undefined && { state: state as WorkerInfo['state'][] }),
        ...(all && { endedWithinMs: DAY_MS }),
      });
      const visible = found.filter((worker) => isVisible(worker, caller)).map((worker) => visiblePart(worker, caller));
      const wanted = visible.filter(
        ({ namespaces }) => namespace === undefined || namespaces.some((one) => namespace.includes(one)),
      );
      const { items, ...cursors } = pageOf(wanted, page);
      return { workers: items, ...cursors };
    },
    async get({ name }, { caller }) {
      const worker = await tasker.getWorker(name);
      if (!isVisible(worker, caller)) throw new TaskerError('worker_not_found', `worker ${name} not found`);
      const steps = worker.steps.filter(({ namespace }) => maySee(caller, namespace));
      return { ...visiblePart(worker, caller), steps };
    },
    async queues({ namespace }, { caller }) {
      // The error for an unknown namespace lists the existing namespaces.
      const only = namespace === undefined || caller.namespaces !== undefined ? {} : { namespace };
      const queues = await tasker.queues(only);
      const seen = queues.filter(
        (queue) => maySee(caller, queue.namespace) && (namespace === undefined || queue.namespace === namespace),
      );
      return { queues: seen, ...WHOLE };
    },
    async handlers({ namespace, ...page }, { caller }) {
      const all = (await listHandlers(tasker.engine)).filter(
        (one) => (namespace === undefined || one.namespace === namespace) && maySee(caller, one.namespace),
      );
      const { items, ...cursors } = pageOf(all, page);
      return { handlers: items, ...cursors };
    },
    async drain({ name }, { caller, operator }) {
      await checkWorker(tasker, caller, name);
      const { worker, changed, left } = await tasker.drainWorker(name, operator);
      return { ...worker, changed, leftNamespaces: left };
    },
    async resume({ name }, { caller, operator }) {
      await checkWorker(tasker, caller, name);
      const { worker, changed } = await tasker.resumeWorker(name, operator);
      return { ...worker, changed };
    },
  };
}

/** The bodies of the verbs for namespaces. */
export function namespaceVerbs(tasker: Tasker): BodiesOf<'namespaces'> {
  return {
    async list(_, { caller }) {
      const [namespaces, pauses] = await Promise.all([tasker.engine.listNamespaces(), tasker.pauses()]);
      const paused = new Map(pauses.filter(({ scope }) => scope === 'namespace').map((pause) => [pause.target, pause]));
      const shown = namespaces
        .filter(({ name }) => maySee(caller, name))
        .map((one) => ({ ...one, pause: paused.get(one.name) ?? null }));
      return { namespaces: shown, ...WHOLE };
    },
    pause: ({ namespace }, { operator }) => tasker.pause({ namespace }, operator),
    resume: ({ namespace }, { operator }) => tasker.resume({ namespace }, operator),
  };
}

/**
 * A worker serves several namespaces. A credential may drain the worker only if the credential covers all its
 * namespaces.
 */
async function checkWorker(tasker: Tasker, caller: Caller, name: string): Promise<void> {
  if (caller.namespaces === undefined) return;
  const { namespaces } = await tasker.getWorker(name);
  if (namespaces.every((namespace) => maySee(caller, namespace))) return;
  if (!namespaces.some((namespace) => maySee(caller, namespace))) {
    throw new TaskerError('worker_not_found', `worker ${name} not found`);
  }
  throw new TaskerError('forbidden', `worker ${name} also serves namespaces that this credential does not cover`);
}

function isVisible({ namespaces }: WorkerInfo, caller: Caller): boolean {
  return caller.namespaces === undefined || namespaces.some((namespace) => maySee(caller, namespace));
}

/** Omits the data of other namespaces. */
function visiblePart<Worker extends WorkerInfo>(worker: Worker, caller: Caller): Worker {
  if (caller.namespaces === undefined) return worker;
  return {
    ...worker,
    namespaces: worker.namespaces.filter((namespace) => maySee(caller, namespace)),
    missingHandlers: worker.missingHandlers.filter(({ namespace }) => maySee(caller, namespace)),
  };
}
