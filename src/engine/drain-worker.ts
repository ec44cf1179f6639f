import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import { TaskerError } from '../errors.ts';
import { grouped } from '../model/grouped.ts';
import { isStorableText } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';
import { noteAct } from '../store/audit.ts';
import { type InstanceRow, lockInstances, recentWorkers, setDrain } from '../store/overview/workers.ts';
import { type OperatorOptions, operatorOf } from './operator-actions.ts';

const SETTINGS = opening({ lock_timeout: '5s', statement_timeout: '30s', idle_in_transaction_session_timeout: '30s' });

/** A worker that was asked to stop taking steps, or to take steps again. */
export interface AskedWorker {
  /** Its current id. */
  id: number;
  name: string;
  /** All ids under which it may hold steps. */
  ids: number[];
  /** False if the worker had already been asked to do the same. */
  changed: boolean;
}

/**
 * Asks a live worker to stop taking steps (`drain`), or to take steps again. The request is in its row, so it survives a
 * lost notification and a lost lease.
 * @throws TaskerError `worker_not_found`, `bad_request` if several live workers have the name, `illegal_transition` if it
 * has ended
 */
export async function askWorker(
  database: Database,
  worker: string | number,
  { drain, ...options }: OperatorOptions & { drain: boolean },
): Promise<AskedWorker> {
  const operator = operatorOf(options);
  const chosen = choiceOf(worker);
  return database.transaction(SETTINGS, async (tx) => {
    const rows = await lockInstances(tx, chosen);
    if (rows.length === 0) throw unknownWorker(worker, await recentWorkers(tx, 0));
    const named = rows.filter((row) => row.name === chosen.name);
    const { name, id, ids, instances } = oneOf(named.length > 0 ? named : rows);
    const draining = instances.some((row) => row.draining);
    if (draining === drain) return { id, name, ids, changed: false };
    await setDrain(tx, ids, drain ? { by: operator.actor, reason: operator.reason } : { by: null, reason: null });
    const [fromState, toState] = drain ? ['running', 'draining'] : ['draining', 'running'];
    const details = JSON.stringify({ worker_id: id, host: instances.at(-1)!.host, pid: instances.at(-1)!.pid });
    const action = drain ? ('drain' as const) : ('resume' as const);
    const act = { action, target: `worker ${name}`, fromState, toState, details };
    await noteAct(tx, act, operator);
    return { id, name, ids, changed: true };
  });
}

/** Reads a name or an id. A string of digits may be either. @throws TaskerError `bad_request` */
export function choiceOf(worker: string | number): { name: string; id: number | null } {
  if (typeof worker !== 'number' && typeof worker !== 'string')
    throw new TaskerError('bad_request', 'worker must be a name or an id');
  const name = String(worker);
  if (!isStorableText(name) || name === '')
    throw new TaskerError('bad_request', 'the name of a worker must be a string without U+0000 or lone surrogates');
  return { name, id: /^\d{1,15}$/.test(name) ? Number(name) : null };
}

/** Returns the error for a worker that does not exist. `known`: the workers to suggest. */
export function unknownWorker(worker: string | number, known: readonly { name: string }[]): TaskerError {
  const names = [...new Set(known.map(({ name }) => name))];
  const near = nearNames(String(worker), names);
  const hint =
    near.length > 0
      ? `did you mean ${near.join(' or ')}?`
      : names.length > 0
        ? `live workers: ${names.slice(0, 10).join(', ')}${names.length > 10 ? ' …' : ''}`
        : 'no worker is running';
  return new TaskerError('worker_not_found', `worker ${worker} not found; ${hint}`, { details: { near } });
}

/** Returns the registrations of the only live worker that matches. */
function oneOf(rows: readonly InstanceRow[]): { id: number; name: string; ids: number[]; instances: InstanceRow[] } {
  const byInstance = grouped(rows, (row) => row.instance);
  // A worker whose lease expired may reconnect and register again.
  const living = [...byInstance.values()].filter((all) => all.some((row) => row.living));
  const [instances] = living;
  const last = rows.at(-1)!;
  if (!instances) {
    const ended = last.state === 'stopped' ? 'has stopped' : 'was lost: its lease has expired';
    throw new TaskerError('illegal_transition', `worker ${last.name} ${ended}; it takes no steps`);
  }
  if (living.length > 1) {
    const ids = living.map((all) => `${all.at(-1)!.id} (${all.at(-1)!.host}, process ${all.at(-1)!.pid})`).join(', ');
    throw new TaskerError(
      'bad_request',
      `${living.length} live workers are named ${last.name}; pass the id of one: ${ids}`,
    );
  }
  const current = instances.at(-1)!;
  return { id: current.id, name: current.name, ids: instances.map((row) => row.id), instances };
}
