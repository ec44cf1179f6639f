import { afterAll, onTestFinished } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { Engine, KIND, type RecordAnswer, type Recording } from '../../src/engine/engine.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { stepIndex } from '../../src/model/ids.ts';
import type { WaitRequest } from '../../src/model/waits.ts';
import type { ClaimedStepRow } from '../../src/store/claim-steps.ts';
import { DEMO, setup, states, template } from './setup.ts';
import { sharedTasker } from './shared-tasker.ts';

/** A step that the test holds. */
export interface Held {
  row: ClaimedStepRow;
  token: number;
}

const NOTHING = { freeSlots: 0, token: 0, lastRank: -101 };

/** A database, and an engine without a worker on it. */
export async function handBench() {
  const made = await setup({ templates: template({ a: [] }), worker: false });
  const database = await Database.connect({ url: made.url, poolSize: 3, logger: silentLogger });
  onTestFinished(() => database.close());
  return { ...made, engine: new Engine(database, silentLogger) };
}

/**
 * Returns {@link handWorker} with one bench for all tests of a file. Each test starts without the tasks and workers of
 * the tests before it. Call it where tests are declared.
 */
export function sharedHandWorkers(): typeof handWorker {
  const shared = sharedTasker();
  let connecting: Promise<Database> | undefined;
  afterAll(async () => (await connecting)?.close());
  return async (steps, given) => {
    if (given) return await handWorker(steps, given);
    const made = await shared();
    connecting ??= Database.connect({ url: made.url, poolSize: 3, logger: silentLogger });
    const engine = new Engine(await connecting, silentLogger);
    return await handWorker(steps, { ...made, engine });
  };
}

let namespaces = 0;

const IDENTITY = { name: 'hand', host: 'h', pid: 1, callables: [], concurrency: 9, leaseMs: 600_000 };

/**
 * One task and a worker that the test drives by hand: the test decides what is claimed and what is recorded together.
 * Steps are identified by their names. Several of these workers can share a bench.
 */
export async function handWorker(steps: Parameters<typeof template>[0], bench?: Awaited<ReturnType<typeof handBench>>) {
  const made = bench ?? (await handBench());
  const { tasker, engine } = made;
  const namespace = `hand${++namespaces}`;
  await tasker.registerTemplates([template(steps, { namespace })]);
  const { taskUuid } = await tasker.createTask({ ...DEMO, namespace });
  const identity = { ...IDENTITY, namespaces: [namespace] };
  let workerId = await engine.registerWorker(identity);
  const namespaceIds = await engine.namespaceIds([namespace]);
  const snapshot = await engine.snapshotOf(taskUuid);
  const held = new Map<string, Held>();
  let claims = 0;

  /** Claims all ready steps. Returns the sorted names of the steps in this claim. */
  const claim = async (): Promise<string[]> => {
    const token = workerId * 2 ** 24 + ++claims;
    const { steps: rows } = await engine.claim({ limit: 1000, token, workerId, namespaceIds, excluded: [] });
    const names = new Map(
      (await tasker.getSteps(taskUuid)).map(({ stepUuid, name }) => [stepIndex(taskUuid, stepUuid), name]),
    );
    for (const row of rows) held.set(names.get(row.idx)!, { row, token });
    return rows.map((row) => names.get(row.idx)!).sort();
  };

  /** Loses the worker with all its steps, releases the steps, and registers the worker again under another id. */
  const die = async () => {
    await made.sql(`update tasker.worker set lease_until = now() - interval '1 minute' where id = $1`, [workerId]);
    held.clear();
    const swept = await engine.sweep(0);
    workerId = await engine.registerWorker(identity);
    return swept;
  };

  const end = (name: string, kind: Recording['kind'], result: unknown): Recording => {
    const { row, token } = held.get(name)!;
    const expansion = kind === KIND.completed ? snapshot.expansionOf(row.idx, result) : undefined;
    if (expansion?.kind === 'wrong') throw new Error(expansion.reason);
    return {
      taskUuid,
      idx: row.idx,
      claim: token,
      kind,
      delayMs: 0,
      templateId: row.templateId,
      rank: row.rank,
      durationMs: 1,
      result: kind === KIND.completed ? JSON.stringify(result) : 'null',
      detail: kind === KIND.completed ? 'null' : '{"error":{"message":"broken"}}',
      expansion,
    };
  };

  /** Returns the end of an attempt that begins to wait. */
  const waits = (name: string, wait: WaitRequest): Recording => ({
    ...end(name, KIND.waits, null),
    detail: 'null',
    wait,
  });

  return {
    ...made,
    taskUuid,
    waits,
    held,
    claim,
    die,
    completed: (name: string, result: unknown = {}) => end(name, KIND.completed, result),
    failed: (name: string) => end(name, KIND.permanent, null),
    /** Returns an outcome that failed and may be retried, or that was released. */
    ended: (name: string, kind: 'retryable' | 'released') => end(name, KIND[kind], null),
    record: (...batch: Recording[]): Promise<RecordAnswer> => engine.record(batch, NOTHING),
    states: () => states(tasker, taskUuid),
  };
}

/** The result of an analyzer that creates batches with these ids for the workers of a step. */
export const partsFor = (worker: string, ...ids: string[]) => ({
  batch_processing_outcome: {
    type: 'create_batches',
    worker_template_name: worker,
    cursor_configs: ids.map((id) => ({ batch_id: id, start_cursor: 0, end_cursor: 1, batch_size: 1 })),
  },
});

/** The result of a decision. */
export const choosing = (...names: string[]) => ({
  decision_point_outcome: names.length > 0 ? { type: 'create_steps', step_names: names } : { type: 'no_branches' },
});

/** A batch_worker step. */
export const workers = (dependencies: string[], config: Record<string, unknown> = {}) => ({
  type: 'batch_worker',
  dependencies,
  batch_config: {
    batch_size: 1,
    parallelism: 100,
    cursor_field: 'id',
    worker_template: 'work',
    failure_strategy: 'continue_on_failure',
    ...config,
  },
});
