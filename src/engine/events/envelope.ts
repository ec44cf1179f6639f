import type { Database } from '../../db/database.ts';
import { placeFor } from '../../model/for-each.ts';
import { isWorkerIndex, MAX_WORKERS, stepIndex, templateIndex, uuidOfDigest, workerIndex } from '../../model/ids.ts';
import { type BatchWorkerRow, batchWorkers } from '../../store/batches.ts';
import { getStepsAt, type StepRange, type StepRow } from '../../store/read-steps.ts';
import { type EventTaskRow, eventTasks } from '../../store/tasks.ts';
import type { StepTemplate } from '../../template/task-template.ts';
import { knownFor, reachedFrom } from '../rerun/reached-steps.ts';
import { type StepExecutionResult, stepView } from '../task-view.ts';
import type { Snapshot, TemplateStore } from '../template-store.ts';
import { type LoggedEvent, wireMetadata } from './logged-event.ts';
import { SETTINGS } from './settings.ts';

/** An event as it is sent to other systems, with the field names that they expect. */
export interface EventEnvelope {
  event_id: string;
  event_name: string;
  event_version: string;
  payload: {
    /** The task, the step, its definition, and the results of its ancestors. Null if the task was deleted. */
    task_sequence_step: Record<string, unknown> | null;
    execution_result: unknown;
    payload: unknown;
  };
  metadata: Record<string, unknown>;
}

/** Returns events as they are sent to other systems, with the current task, step and results. */
export async function envelopesOf(
  on: { database: Database; templates: TemplateStore },
  events: readonly LoggedEvent[],
): Promise<EventEnvelope[]> {
  if (events.length === 0) return [];
  const ids = [...new Set(events.map((event) => event.taskUuid))];
  const rows = await on.database.pipeline(SETTINGS, (tx) => eventTasks(tx, ids));
  const tasks = new Map(rows.map((row) => [row.taskUuid, row]));
  const snapshots = await on.templates.byIds(rows.map((row) => row.templateId));
  const envelopes: EventEnvelope[] = [];
  for (const event of events) {
    const task = tasks.get(event.taskUuid);
    const step = task && (await sequenceStep(on.database, event, { task, snapshot: snapshots.get(task.templateId)! }));
    envelopes.push(envelopeOf(event, step ?? null));
  }
  return envelopes;
}

function envelopeOf(event: LoggedEvent, step: Record<string, unknown> | null): EventEnvelope {
  return {
    event_id: event.eventId,
    event_name: event.name,
    event_version: event.version,
    payload: { task_sequence_step: step, execution_result: event.executionResult, payload: event.payload },
    metadata: wireMetadata(event),
  };
}

/** Returns the step that published an event, as its handler received it. */
async function sequenceStep(
  database: Database,
  event: LoggedEvent,
  { task, snapshot }: { task: EventTaskRow; snapshot: Snapshot },
): Promise<Record<string, unknown>> {
  const { graph, steps } = snapshot;
  const { taskUuid } = event;
  const idx = stepIndex(taskUuid, event.stepUuid)!;
  const ancestors = graph.ancestors[templateIndex(idx)]!;
  const ranges = [
    { first: idx, last: idx },
    ...ancestors.map((above) => rangeOf(snapshot, placeFor(graph, idx, above))),
  ];
  const [rows, parts] = await database.pipeline(SETTINGS, (tx) =>
    Promise.all([
      getStepsAt(tx, taskUuid, ranges),
      isWorkerIndex(idx) ? batchWorkers(tx, [{ taskUuid, idx }]) : Promise.resolve([]),
    ]),
  );
  const definition = steps[templateIndex(idx)]!;
  const row = rows.find((one) => one.idx === idx);
  const inputs = inputsOf(definition, parts[0]);
  return {
    task: taskOf(task, snapshot),
    workflow_step: row ? stepOf(event, { row, inputs, createdAt: task.createdAt }) : null,
    dependency_results: resultsAbove(snapshot, { taskUuid, idx, rows }),
    step_definition: await definitionOf(definition),
  };
}

/** Returns the index of a template step, or the indexes of all workers that are created from it. */
function rangeOf({ graph }: Snapshot, idx: number): StepRange {
  if (graph.types[idx] !== 'batch_worker') return { first: idx, last: idx };
  const first = workerIndex(idx, 0);
  return { first, last: first + MAX_WORKERS - 1 };
}

/** Returns the results of the ancestors that have ended, by name. */
function resultsAbove(
  { graph }: Snapshot,
  { taskUuid, idx, rows }: { taskUuid: string; idx: number; rows: readonly StepRow[] },
): Record<string, StepExecutionResult> {
  const ofBatch = (row: StepRow) => graph.types[templateIndex(row.idx)] === 'batch_worker';
  const over = rows.filter((row) => row.idx !== idx && isOver(row, ofBatch(row)));
  const without = new Set(rows.filter(({ state }) => state === 'skipped' || state === 'error').map((row) => row.idx));
  const places = new Set(over.map((row) => row.idx));
  const batches = new Map<number, StepRow[]>();
  for (const row of over.filter(ofBatch)) {
    const members = batches.get(templateIndex(row.idx));
    if (members) members.push(row);
    else batches.set(templateIndex(row.idx), [row]);
  }
  const known = knownFor(graph, idx, { texts: places, withheld: NONE, without, batches });
  const reached = new Set(reachedFrom(graph, templateIndex(idx), known));
  const seen = over.filter((row) => reached.has(templateIndex(row.idx)));
  return Object.fromEntries(seen.map((row) => [row.name, stepView(taskUuid, row).results!]));
}

const NONE: ReadonlySet<number> = new Set();

/**
 * A failed worker is also treated as ended, because a step after the batch only runs if the batch tolerates failures.
 */
const isOver = ({ state }: StepRow, ofBatch: boolean) =>
  state === 'complete' || state === 'resolved_manually' || (ofBatch && state === 'error');

/** Returns a time in the format that readers of these messages expect: UTC, without a zone. */
const naive = (time: string) => time.replace(/Z$/, '');

function taskOf(row: EventTaskRow, { template, digest }: Snapshot) {
  const created = naive(row.createdAt);
  return {
    task: {
      task_uuid: row.taskUuid,
      named_task_uuid: uuidOfDigest(digest),
      complete: row.complete,
      requested_at: created,
      initiator: row.initiator,
      source_system: row.sourceSystem,
      reason: row.reason,
      tags: row.tags,
      context: JSON.parse(row.context) as unknown,
      identity_hash: '',
      priority: row.priority,
      created_at: created,
      updated_at: created,
      correlation_id: row.correlationId,
      parent_correlation_id: row.parentCorrelationId,
    },
    task_name: template.name,
    task_version: template.version,
    namespace_name: template.namespace,
  };
}

/** Returns the inputs that the handler received. */
function inputsOf(definition: StepTemplate, part: BatchWorkerRow | undefined): Record<string, unknown> {
  const inputs = definition.handler.initialization;
  if (!part) return inputs;
  return {
    ...inputs,
    cursor: JSON.parse(part.cursor) as unknown,
    batch_metadata: {
      cursor_field: definition.batchConfig!.cursorField,
      failure_strategy: definition.batchConfig!.failureStrategy,
    },
    is_no_op: part.noOp,
    __template_step_name: definition.name,
  };
}

function stepOf(
  event: LoggedEvent,
  { row, inputs, createdAt }: { row: StepRow; inputs: Record<string, unknown>; createdAt: string },
) {
  const created = naive(createdAt);
  return {
    workflow_step_uuid: event.stepUuid,
    task_uuid: event.taskUuid,
    named_step_uuid: event.stepUuid,
    name: row.name,
    template_step_name: row.templateName,
    retryable: row.retryable,
    max_attempts: row.maxAttempts,
    in_process: false,
    processed: false,
    processed_at: null,
    attempts: event.attempt - 1,
    last_attempted_at: null,
    backoff_request_seconds: null,
    inputs,
    results: null,
    checkpoint: null,
    created_at: created,
    updated_at: created,
  };
}

async function definitionOf(step: StepTemplate) {
  const { batchToJson, retryToJson } = await import('../../template/template-json.ts');
  const { handler, retry, batchConfig } = step;
  return {
    name: step.name,
    description: step.description,
    handler: {
      callable: handler.callable,
      method: handler.method,
      resolver: handler.resolver,
      initialization: handler.initialization,
    },
    type: step.type,
    system_dependency: step.systemDependency,
    dependencies: step.dependencies,
    retry: retryToJson(retry),
    timeout_seconds: step.timeoutSeconds,
    publishes_events: step.publishesEvents.map(({ deliveryMode, onInvalid, ...event }) => ({
      ...event,
      delivery_mode: deliveryMode,
      on_invalid: onInvalid,
    })),
    batch_config: batchConfig && batchToJson(batchConfig),
    result_schema: step.resultSchema,
  };
}
