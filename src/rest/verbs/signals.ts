import type { SignalTarget } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import type { signals } from '../../contract/signals.ts';
import { TaskerError } from '../../errors.ts';
import { type Caller, personOf } from '../caller.ts';
import { checkNamespace, checkSeesAll, maySee } from '../scope.ts';
import type { BodiesOf, Given } from '../verb-routes.ts';

type Sent = Pick<Given<(typeof signals)['send']>, 'name' | 'payload' | 'by' | 'idempotency_key'>;

/** The bodies of the verbs for signals. */
export function signalVerbs(tasker: Tasker): BodiesOf<'signals'> {
  const send = (target: SignalTarget, { name, payload = null, by, idempotency_key: key }: Sent, caller: Caller) =>
    tasker.signal(target, name, payload, { by: personOf(caller, by), idempotencyKey: key });
  return {
    send: ({ uuid, ...signal }, { caller }) => send(uuid, signal, caller),
    sendTo(given, { caller }) {
      const target = targetOf(given);
      if ('correlationId' in target) checkSeesAll(caller, 'a signal to a correlation id', 'template and key');
      else checkNamespace(caller, target.namespace, `template ${given.template}`);
      return send(target, given, caller);
    },
    async list({ uuid, name, kept, limit, cursor }, { caller }) {
      const page = await tasker.listSignals(uuid, { name, kept: kept === 'true', limit, cursor });
      return { ...page, signals: page.signals.map((one) => readable(caller, one)) };
    },
    async get({ signal_id: id }, { caller }) {
      const signal = await tasker.getSignal(id);
      if (!signal || !(await seesTasks(tasker, caller, signal))) {
        throw new TaskerError(
          'not_found',
          `signal ${id} not found; GET /v1/tasks/{uuid}/signals lists the signals of a task`,
        );
      }
      return readable(caller, signal);
    },
  };
}

function targetOf({ correlation_id: correlationId, template, key }: Given<(typeof signals)['sendTo']>) {
  if (correlationId !== undefined && template === undefined && key === undefined) return { correlationId };
  if (correlationId !== undefined || template === undefined || key === undefined) {
    throw new TaskerError(
      'bad_request',
      'pass correlation_id, or template (namespace/name) and key, the key of the task',
    );
  }
  const [, namespace, name, version] = /^([^/@]+)\/([^/@]+)(?:@([^/@]+))?$/.exec(template) ?? [];
  if (namespace === undefined || name === undefined) {
    throw new TaskerError('bad_request', 'template must be namespace/name or namespace/name@version');
  }
  return { namespace, name, version, idempotencyKey: key };
}

function readable<S extends { payload: unknown }>(caller: Caller, signal: S): S {
  return caller.allows('tasks:context_read') ? signal : { ...signal, payload: null };
}

/** Returns whether the caller may see all tasks that have the signal. */
async function seesTasks(tasker: Tasker, caller: Caller, { tasks }: { tasks: readonly { taskUuid: string }[] }) {
  if (caller.namespaces === undefined) return true;
  for (const { taskUuid } of tasks) {
    if (!maySee(caller, (await tasker.getTask(taskUuid)).namespace)) return false;
  }
  return tasks.length > 0;
}
