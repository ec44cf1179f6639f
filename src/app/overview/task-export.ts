import { packageVersion } from '../../config/package-version.ts';
import type { AuditEntry, AuditFilter, AuditPage, AuditPageOptions } from '../../engine/audit.ts';
import type { Engine } from '../../engine/engine.ts';
import type { LoggedEvent } from '../../engine/events/logged-event.ts';
import type { EventFilter } from '../../engine/events/search.ts';
import type { HistoryEntry, Step, Task } from '../../engine/task-view.ts';
import type { SignalListOptions, SignalPage, TaskSignal } from '../../engine/waits/signal-view.ts';
import type { Explanation } from '../why.ts';
import type { TaskWait } from './task-waits.ts';

/** A part of an export that can be left out: the results of steps, events, audit, or the payloads of signals. */
export type TaskExportPart = 'results' | 'events' | 'audit' | 'payloads';

/** Something that an export does not contain, and why. */
export interface OmittedPart {
  /** `sensitive`: the values that the template declares as sensitive. */
  part: TaskExportPart | 'signals' | 'sensitive';
  why: string;
}

/** A step of an exported task. */
export interface ExportedStep extends Step {
  /** The steps of the template that it depends on. */
  dependsOn: string[];
  /** Why the step is in its state, as a sentence. */
  why: string;
}

/** A task with everything that belongs to it, as one document for a bug report. */
export interface TaskExport {
  /** The version of tasker-core that wrote it. */
  taskerVersion: string;
  /** ISO 8601, by the clock of the process that wrote it. */
  exportedAt: string;
  /** Why the task is in its state, as a sentence. */
  summary: string;
  task: Task;
  steps: ExportedStep[];
  /** All attempts and operator actions, oldest first. */
  history: HistoryEntry[];
  /** The last wait of each step. */
  waits: TaskWait[];
  /** The first 1,000 signals, in the order of their arrival. */
  signals: TaskSignal[];
  /** The newest 1,000 durable events, newest first. */
  events: LoggedEvent[];
  /** The newest 1,000 actions of operators and lifecycles, newest first. */
  audit: AuditEntry[];
  /** The parts that the document does not contain, and why. */
  omitted: OmittedPart[];
}

/** Options of {@link exportTask}. */
export interface TaskExportOptions {
  /** Parts to leave out, each with the reason that the document states. */
  omit?: readonly { part: TaskExportPart; why: string }[];
}

/** The reads of a tasker that an export consists of. */
interface Reads {
  readonly engine: Pick<Engine, 'snapshotOf'>;
  readonly events: { list(filter: EventFilter): Promise<LoggedEvent[]> };
  why(taskUuid: string): Promise<Explanation>;
  getSteps(taskUuid: string): Promise<Step[]>;
  getHistory(taskUuid: string): Promise<HistoryEntry[]>;
  getWaits(taskUuid: string): Promise<TaskWait[]>;
  listSignals(taskUuid: string, options: SignalListOptions): Promise<SignalPage>;
  audit(filter: AuditFilter, page: AuditPageOptions): Promise<AuditPage>;
}

const MOST = 1000;

/**
 * Returns a task with its steps, history, waits, signals, events and audit. It is read in several statements, so a
 * running task may change between them. @throws TaskerError `task_not_found`, `invalid_uuid`
 */
export async function exportTask(
  tasker: Reads,
  uuid: string,
  { omit = [] }: TaskExportOptions = {},
): Promise<TaskExport> {
  const without = new Set<string>(omit.map(({ part }) => part));
  const { task, summary, steps: explained } = await tasker.why(uuid);
  const { taskUuid } = task;
  const [steps, { template }, history, waits, found, events, { entries: audit, nextCursor }] = await Promise.all([
    tasker.getSteps(taskUuid),
    tasker.engine.snapshotOf(taskUuid),
    tasker.getHistory(taskUuid),
    tasker.getWaits(taskUuid),
    tasker.listSignals(taskUuid, { limit: MOST }),
    without.has('events') ? [] : tasker.events.list({ taskUuid, limit: MOST }),
    without.has('audit') ? { entries: [], nextCursor: null } : tasker.audit({ task: taskUuid }, { limit: MOST }),
  ]);
  const parents = new Map(template.steps.map(({ name, dependencies }) => [name, dependencies]));
  const reasons = new Map(explained.map(({ step, why }) => [step, why]));
  const { signals } = found;
  const cut = (part: OmittedPart['part'], more: boolean, which: string) =>
    more ? [{ part, why: `only the ${which} ${MOST.toLocaleString('en-US')} are contained` }] : [];
  return {
    taskerVersion: packageVersion(),
    exportedAt: new Date().toISOString(),
    summary,
    task,
    steps: steps.map((step) => ({
      ...step,
      ...(without.has('results') && { results: null }),
      dependsOn: parents.get(step.templateStepName) ?? [],
      why: reasons.get(step.name) ?? '',
    })),
    history: without.has('results') ? history.map((entry) => ({ ...entry, droppedResult: null })) : history,
    waits,
    signals: without.has('payloads') ? signals.map((signal) => ({ ...signal, payload: null })) : signals,
    events,
    audit,
    omitted: [
      ...omit,
      ...cut('signals', found.nextCursor !== null, 'first'),
      ...cut('events', events.length === MOST, 'newest'),
      ...cut('audit', nextCursor !== null, 'newest'),
    ],
  };
}
