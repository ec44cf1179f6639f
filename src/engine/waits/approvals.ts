import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import { checkUuid, stepIndex, templateIndex, uuidV7 } from '../../model/ids.ts';
import { isStorableText, storableJson } from '../../model/json.ts';
import { nearNames } from '../../model/near-names.ts';
import { describeViolations } from '../../model/schema-violations.ts';
import type { Wait } from '../../model/waits.ts';
import { type ApprovalRow, dropVotes, getApproval, noteProgress, storeVote } from '../../store/approvals/approvals.ts';
import { noteAct } from '../../store/audit.ts';
import { storeEvents } from '../../store/events/store-events.ts';
import { notify } from '../../store/queue.ts';
import { findStep, stepNames } from '../../store/read-steps.ts';
import { getTasks, lockTasks } from '../../store/tasks.ts';
import { compileStored } from '../../template/json-schema-check.ts';
import { type OperatorOptions, onFreeTask, operatorOf } from '../operator-actions.ts';
import { shownValue } from '../shown-value.ts';
import {
  type Approval,
  type ApprovalDecision,
  type ApprovalProgress,
  type ApprovalResult,
  approvalOf,
  settingsOf,
  type Vote,
} from './approval-view.ts';
import { ENDING, endLocked } from './end.ts';
import { waitOver } from './late.ts';
import { text } from './signal-request.ts';
import type { WaitingEngine } from './signals.ts';
import type { DueResult, OpenWait, WaitEnding } from './waits.ts';

/** The names of approval events. */
type ApprovalEvent = 'approval.requested' | 'approval.reminded' | 'approval.escalated' | 'approval.decided';

/** A vote. */
export interface VoteRequest {
  decision: 'approve' | 'reject';
  /** The name of the person, at most 128 characters. */
  by: string;
  /** The roles of this person. The caller must check them. Default: none. */
  roles?: readonly string[] | undefined;
  /** At most 10,000 characters. */
  comment?: string | undefined;
  /** The completed form. Must match the schema of the approval. At most 256 kB of JSON. */
  form?: unknown;
}

/** A change of the assignees. */
export interface ReassignRequest {
  /** The users or roles that may vote from now on. Empty means everyone. */
  to: string | readonly string[];
  /** The name of the operator. */
  by?: string | undefined;
  reason?: string | undefined;
}

const MOST_ASSIGNEES = 1_000;
/** Maximum number of people that an error names. */
const MOST_SHOWN = 20;
const FORM_BYTES = 262_144;
const CHANNEL_EVENTS = 'tasker_events';

/**
 * Votes on an approval. The vote that reaches the quorum completes the step.
 * @throws TaskerError `bad_request`, `forbidden`, `wait_over`, `illegal_transition`, `task_not_found`, `step_not_found`
 */
export async function vote(
  engine: WaitingEngine,
  given: { taskUuid: string; step: string },
  request: VoteRequest,
): Promise<Approval> {
  const read = readVote(request);
  const step = await findApprovalStep(engine, given);
  const { approval, ended } = await onFreeTask(
    engine.database,
    step.taskUuid,
    async (tx) => {
      const [, row] = await Promise.all([lockTasks(tx, [step.taskUuid]), getApproval(tx, step.taskUuid, step.idx)]);
      if (row && isRepeated(row, read)) return { approval: approvalOf(row), ended: [] };
      return voteLocked(tx, engine, { row: checkOpen(row, step), read });
    },
    ENDING,
  );
  await engine.announce.waits(ended);
  return approval;
}

type ReadVote = ReturnType<typeof readVote>;

function readVote({ decision, by, roles = [], comment, form }: VoteRequest) {
  if (decision !== 'approve' && decision !== 'reject') {
    throw new TaskerError('bad_request', `decision must be approve or reject, got ${shownValue(decision)}`);
  }
  if (!Array.isArray(roles) || roles.length > MOST_ASSIGNEES) {
    throw new TaskerError('bad_request', `roles must be a list of at most ${MOST_ASSIGNEES} names`);
  }
  const names = [text(by, 'by', 128), ...roles.map((role) => text(role, 'a role', 128))];
  const given = comment === undefined || comment === null ? null : text(comment, 'comment', 10_000);
  const stored =
    form === undefined || form === null ? null : storableJson(form, { maxBytes: FORM_BYTES, name: 'form' });
  if (stored && !stored.ok) {
    throw new TaskerError('bad_request', `the form cannot be stored: ${stored.path}: ${stored.reason}`, {
      details: { path: stored.path },
    });
  }
  return { decision, by, names, comment: given, form: stored?.json ?? null };
}

/** Returns whether a vote repeats the deciding vote, because its sender did not get the response. */
function isRepeated(row: ApprovalRow, { by, decision, comment, form }: ReadVote): boolean {
  if (row.endedBy !== 'vote') return false;
  const earlier = (JSON.parse(row.votes) as Vote[]).find((one) => one.by === by);
  if (!earlier || earlier.decision !== decision || earlier.comment !== comment) return false;
  return JSON.stringify(sorted(earlier.form)) === JSON.stringify(sorted(form === null ? null : JSON.parse(form)));
}

/** Returns a value with sorted keys, because the database does not preserve their order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}

interface ApprovalStep {
  taskUuid: string;
  idx: number;
  /** As it was given. */
  step: string;
}

async function findApprovalStep(
  { database, templates }: WaitingEngine,
  { taskUuid: given, step }: { taskUuid: string; step: string },
): Promise<ApprovalStep> {
  const taskUuid = checkUuid(given, 'the task id');
  const idx =
    typeof step === 'string' && isStorableText(step)
      ? await findStep(database, { taskUuid, name: step, idx: stepIndex(taskUuid, step) })
      : undefined;
  const [task] = await getTasks(database, [taskUuid]);
  if (!task) throw new TaskerError('task_not_found', `task ${taskUuid} not found`);
  const { template } = (await templates.byIds([task.templateId])).get(task.templateId)!;
  if (idx !== undefined && template.steps[templateIndex(idx)]?.type === 'approval') return { taskUuid, idx, step };
  if (idx !== undefined) {
    const known = template.steps.filter(({ type }) => type === 'approval').map(({ name }) => name);
    throw new TaskerError(
      'illegal_transition',
      `step ${step} of task ${taskUuid} is not an approval; ${known.length > 0 ? `its approvals are ${known.join(', ')}` : 'it has none'}`,
    );
  }
  const names = [...(await stepNames(database, taskUuid)).values()];
  const near = nearNames(String(step), names);
  throw new TaskerError(
    'step_not_found',
    `task ${taskUuid} has no step ${String(step)}; ${near.length > 0 ? `did you mean ${near.join(' or ')}?` : `it has ${names.slice(0, 20).join(', ')}`}`,
  );
}

/** Returns the approval if it can still be decided. @throws TaskerError `wait_over`, `illegal_transition` */
function checkOpen(row: ApprovalRow | undefined, { taskUuid, step }: ApprovalStep): ApprovalRow {
  if (!row) {
    throw new TaskerError(
      'illegal_transition',
      `step ${step} of task ${taskUuid} does not wait for votes yet; \`tasker task why ${taskUuid}\` shows what it waits for`,
    );
  }
  if (row.endedAt !== null || row.late) throw waitOver({ ...row, decided: decisionOf(row) });
  return row;
}

/** Returns the people whose votes decided an approval, with the role that they voted as. Undefined if no vote did. */
function decisionOf(row: ApprovalRow): string | undefined {
  const { status, votes } = approvalOf(row);
  if (row.endedBy !== 'vote' || (status !== 'approved' && status !== 'rejected')) return undefined;
  const wanted = status === 'approved' ? 'approve' : 'reject';
  const people = votes
    .filter(({ decision }) => decision === wanted)
    .map(({ by, as }) => (as === null || as === by ? by : `${by} (as ${as})`));
  const shown = people.slice(0, MOST_SHOWN);
  const more = people.length > shown.length ? ` and ${people.length - shown.length} more` : '';
  return `it was ${status} by ${shown.join(', ')}${more}`;
}

async function voteLocked(tx: Db, engine: WaitingEngine, { row, read }: { row: ApprovalRow; read: ReadVote }) {
  const settings = settingsOf(JSON.parse(row.settings) as Record<string, unknown>);
  const votedAs = checkVoter(row, read);
  checkForm(row, read);
  const { by, decision, comment, form } = read;
  await storeVote(tx, row, { by, decision, comment, form, votedAs });
  const voted = (await getApproval(tx, row.taskUuid, row.idx))!;
  const { approvals, rejections } = approvalOf(voted);
  const decided =
    rejections >= settings.rejectQuorum ? 'rejected' : approvals >= settings.quorum ? 'approved' : undefined;
  if (decided === undefined) return { approval: approvalOf(voted), ended: [] };
  const votes = JSON.parse(voted.votes) as Vote[];
  const last = votes.find((one) => one.by === by)!;
  const result = resultOf(decided, votes, { by, at: last.at, comment, form: last.form });
  const wait = waitOf(row);
  const ending: WaitEnding =
    decided === 'rejected' && settings.onReject === 'fail'
      ? {
          wait,
          by: 'vote',
          kind: 'permanent',
          error: { message: rejectedBy(by, comment), error_type: 'approval_rejected' },
        }
      : { wait, by: 'vote', kind: 'completed', result };
  await noteDecision(tx, row, { decision: decided, result });
  const ended = await endLocked(engine, tx, [ending]);
  // Because of the lock, the wait cannot have ended since it was read.
  if (ended[0] === undefined) throw new Error(`the approval of a locked task has ended: ${row.taskUuid}`);
  return { approval: approvalOf((await getApproval(tx, row.taskUuid, row.idx))!), ended };
}

const rejectedBy = (by: string, comment: string | null) =>
  `rejected by ${by}${comment === null ? '' : `: ${comment.length > 1000 ? `${comment.slice(0, 999)}…` : comment}`}`;

/** Returns the assignee that a person votes as; if null, everyone may vote. @throws TaskerError `forbidden` */
function checkVoter(row: ApprovalRow, { by, names }: ReadVote): string | null {
  const { assignees } = approvalOf(row);
  if (assignees.length === 0) return null;
  const as = names.find((name) => assignees.includes(name));
  if (as !== undefined) return as;
  const shown = `${assignees.slice(0, MOST_SHOWN).join(', ')}${assignees.length > MOST_SHOWN ? ', …' : ''}`;
  const hint = `if ${by} has one of them as a role, pass it with --role, or use a credential that has it`;
  throw new TaskerError(
    'forbidden',
    `${by} may not vote on step ${row.step} of task ${row.taskUuid}; its assignees are ${shown}${names.length === 1 ? `; ${hint}` : ''}`,
    { details: { assignees } },
  );
}

/** Checks the form of a vote. A rejection needs none. @throws TaskerError `bad_request` */
function checkForm(row: ApprovalRow, { decision, form }: ReadVote): void {
  const { form: schema } = approvalOf(row);
  if (schema === null || (decision === 'reject' && form === null)) return;
  const violations = compileStored(schema)(form === null ? {} : (JSON.parse(form) as unknown));
  if (violations.length === 0) return;
  throw new TaskerError(
    'bad_request',
    `the form does not match the schema of step ${row.step} of task ${row.taskUuid}: ${describeViolations(violations)}`,
    {
      details: { violations },
    },
  );
}

function resultOf(
  decision: ApprovalDecision,
  votes: readonly Vote[],
  last: Pick<ApprovalResult, 'by' | 'at' | 'comment' | 'form'>,
): ApprovalResult {
  const given = votes.map(({ by, decision: voted, at, comment, form }) => ({ by, decision: voted, at, comment, form }));
  return { decision, ...last, votes: given };
}

function waitOf(row: ApprovalRow): Wait {
  const { taskUuid, idx, attempt, templateId, rank, since, until, dueAt, calls } = row;
  const settings = JSON.parse(row.settings) as Record<string, unknown>;
  const progress = JSON.parse(row.progress) as Record<string, unknown>;
  const ends = { endedAt: null, endedBy: null };
  return {
    taskUuid,
    idx,
    kind: 'approval',
    attempt,
    templateId,
    rank,
    since,
    until,
    dueAt,
    calls,
    settings,
    progress,
    ...ends,
  };
}

async function noteDecision(
  tx: Db,
  wait: Pick<Wait, 'taskUuid' | 'idx' | 'attempt'> & { settings: unknown },
  { decision, result }: { decision: ApprovalDecision; result: ApprovalResult },
): Promise<void> {
  await noteProgress(tx, wait, JSON.stringify({ decision } satisfies ApprovalProgress));
  await publish(tx, wait, 'approval.decided', { title: titleOf(wait.settings), ...result });
}

const titleOf = (settings: unknown) =>
  settingsOf((typeof settings === 'string' ? JSON.parse(settings) : settings) as Record<string, unknown>).title;

/** Stores a domain event of an approval. The task is locked. */
async function publish(
  tx: Db,
  { taskUuid, idx, attempt }: Pick<Wait, 'taskUuid' | 'idx' | 'attempt'>,
  name: ApprovalEvent,
  payload: Record<string, unknown>,
): Promise<void> {
  const events = [{ id: uuidV7(), name, publisher: 'tasker', payload, metadata: {} }];
  await storeEvents(tx, [{ taskUuid, idx, attempt, execution: {}, events }]);
  // Sent with the transaction, because no process records this attempt and announces the events.
  await notify(tx, CHANNEL_EVENTS, ['']);
}

/** Publishes the request of an approval that has just begun. */
export async function requestApproval(tx: Db, wait: OpenWait): Promise<undefined> {
  const { title, form, assignees, quorum, rejectQuorum } = settingsOf(wait.settings);
  const payload = { title, form, assignees, quorum, reject_quorum: rejectQuorum, since: wait.since, until: wait.until };
  await publish(tx, wait, 'approval.requested', payload);
  return undefined;
}

/** Sends a reminder, escalates, or ends an approval that has reached its limit. */
export async function approvalDue(tx: Db, wait: OpenWait): Promise<DueResult> {
  const settings = settingsOf(wait.settings);
  const progress = wait.progress as ApprovalProgress;
  if (wait.overdue) return timeOut(tx, wait);
  const now = Date.parse(wait.now);
  const at = (afterMs: number | undefined) => (afterMs === undefined ? undefined : Date.parse(wait.since) + afterMs);
  const escalateAt = progress.escalated_at === undefined ? at(settings.escalateAfterMs) : undefined;
  const remindAt = progress.reminded_at === undefined ? at(settings.remindAfterMs) : undefined;
  const assignees = progress.assignees ?? settings.assignees;
  const common = { title: settings.title, since: wait.since, until: wait.until };
  let next = progress;
  if (remindAt !== undefined && remindAt <= now) {
    next = { ...next, reminded_at: wait.now };
    // After an escalation, a reminder would notify the same people twice.
    if (escalateAt === undefined || escalateAt > now)
      await publish(tx, wait, 'approval.reminded', { ...common, assignees });
  }
  if (escalateAt !== undefined && escalateAt <= now) {
    const all = assignees.length === 0 ? [] : [...new Set([...assignees, ...settings.escalateTo])];
    next = { ...next, escalated_at: wait.now, assignees: all };
    await publish(tx, wait, 'approval.escalated', { ...common, assignees: all, escalate_to: settings.escalateTo });
  }
  const later = [remindAt, escalateAt].filter((time) => time !== undefined && time > now) as number[];
  const until = wait.until === null ? Number.POSITIVE_INFINITY : Date.parse(wait.until);
  const again = Math.min(...later, until);
  const dueAt = again === until ? wait.until : new Date(again).toISOString();
  return { again: dueAt, progress: next as Record<string, unknown> };
}

async function timeOut(tx: Db, wait: OpenWait): Promise<WaitEnding> {
  const row = await getApproval(tx, wait.taskUuid, wait.idx);
  const votes = JSON.parse(row?.votes ?? '[]') as Vote[];
  const result = resultOf('timed_out', votes, { by: null, at: wait.until!, comment: null, form: null });
  await noteDecision(tx, wait, { decision: 'timed_out', result });
  return { wait, by: 'timeout', kind: 'completed', result };
}

/** Returns an approval, open or ended. @throws TaskerError `illegal_transition` if its step has not waited yet */
export async function showApproval(
  engine: WaitingEngine,
  given: { taskUuid: string; step: string },
): Promise<Approval> {
  const step = await findApprovalStep(engine, given);
  const row = await getApproval(engine.database, step.taskUuid, step.idx);
  return approvalOf(row ?? checkOpen(row, step));
}

/**
 * Changes who may vote on an approval. Votes of people who are no longer assignees are dropped.
 * @throws TaskerError `bad_request`, `wait_over`, `illegal_transition`, `task_not_found`, `step_not_found`
 */
export async function reassign(
  engine: WaitingEngine,
  given: { taskUuid: string; step: string },
  { to, by, reason }: ReassignRequest,
  options: OperatorOptions,
): Promise<Approval> {
  const names = typeof to === 'string' ? [to] : to;
  if (!Array.isArray(names) || names.length > MOST_ASSIGNEES) {
    throw new TaskerError('bad_request', `to must be a name, or a list of at most ${MOST_ASSIGNEES} names`);
  }
  const assignees = [...new Set((names as readonly string[]).map((name) => text(name, 'an assignee', 128)))];
  const actor = by === undefined ? {} : { actor: text(by, 'by', 128) };
  const operator = operatorOf({ ...options, ...actor, ...(reason === undefined ? {} : { reason }) });
  const step = await findApprovalStep(engine, given);
  return onFreeTask(engine.database, step.taskUuid, async (tx) => {
    const [, found] = await Promise.all([lockTasks(tx, [step.taskUuid]), getApproval(tx, step.taskUuid, step.idx)]);
    const row = checkOpen(found, step);
    const before = approvalOf(row).assignees;
    await noteProgress(tx, row, JSON.stringify({ assignees } satisfies ApprovalProgress));
    const dropped = assignees.length === 0 ? [] : await dropVotes(tx, row, assignees);
    const details = JSON.stringify({ from: before, to: assignees, dropped_votes: dropped });
    await noteAct(tx, { action: 'approval_reassign', taskUuid: row.taskUuid, idx: row.idx, details }, operator);
    return approvalOf((await getApproval(tx, row.taskUuid, row.idx))!);
  });
}
