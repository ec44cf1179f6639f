import type { Database } from '../../db/database.ts';
import { TaskerError } from '../../errors.ts';
import { durationMs } from '../../model/duration.ts';
import { checkUuid, isUuid, stepUuid } from '../../model/ids.ts';
import { isFields } from '../../model/json.ts';
import { nearNames } from '../../model/near-names.ts';
import {
  type ApprovalRow,
  approvalsOfTask,
  countApprovals,
  listApprovals,
  MOST_APPROVALS,
} from '../../store/approvals/approvals.ts';
import type { JsonSchema } from '../../template/task-template.ts';
import { checkText, templatesOf } from '../dead-letters/filter.ts';

/** A vote on an approval. */
export interface Vote {
  by: string;
  decision: 'approve' | 'reject';
  /** ISO 8601, by the clock of the database. */
  at: string;
  comment: string | null;
  form: unknown;
  /** The assignee that the person voted as: their own name or a role. Null means everyone could vote. */
  as: string | null;
  /** How often the person has changed the vote. */
  changes: number;
}

/** The decision of an approval. */
export type ApprovalDecision = 'approved' | 'rejected' | 'timed_out';

/** The result of a step of the type `approval`. */
export interface ApprovalResult {
  decision: ApprovalDecision;
  /** The person whose vote decided. Null if the wait timed out. */
  by: string | null;
  at: string;
  comment: string | null;
  form: unknown;
  votes: Pick<Vote, 'by' | 'decision' | 'at' | 'comment' | 'form'>[];
}

/** An approval that a step waits for, or has waited for. Times are ISO 8601, by the clock of the database. */
export interface Approval {
  taskUuid: string;
  step: string;
  stepUuid: string;
  namespace: string;
  /** The name of the template, and its version. */
  name: string;
  version: string;
  title: string;
  /** `ended`: it ended without a decision, for example because its task ended. */
  status: 'open' | ApprovalDecision | 'ended';
  /** The users or roles that may vote. Empty means everyone. */
  assignees: string[];
  /** The JSON Schema of the form. */
  form: JsonSchema | null;
  quorum: number;
  rejectQuorum: number;
  approvals: number;
  rejections: number;
  votes: Vote[];
  since: string;
  /** The time limit. */
  until: string | null;
  remindedAt: string | null;
  escalatedAt: string | null;
  /** Whether its task, template or namespace is paused: votes are accepted, but later steps do not start. */
  paused: boolean;
  endedAt: string | null;
  /** The cause of its end. */
  endedBy: string | null;
}

/** The settings of an approval, as its wait stores them. The settings have the form of a template file. */
export interface ApprovalSettings {
  title: string;
  form: JsonSchema | null;
  assignees: string[];
  quorum: number;
  rejectQuorum: number;
  onReject: 'fail' | 'complete';
  remindAfterMs: number | undefined;
  escalateAfterMs: number | undefined;
  escalateTo: string[];
}

/** The progress of an approval, as its wait stores it. */
export interface ApprovalProgress {
  /** The users or roles that may vote now, if that was changed. */
  assignees?: string[];
  reminded_at?: string;
  escalated_at?: string;
  decision?: ApprovalDecision;
}

/** Reads the settings of an approval. */
export function settingsOf(settings: Record<string, unknown>): ApprovalSettings {
  const names = (value: unknown) => (Array.isArray(value) ? value.filter((name) => typeof name === 'string') : []);
  const count = (value: unknown) => (typeof value === 'number' ? value : 1);
  return {
    title: String(settings.title ?? ''),
    form: isFields(settings.form) ? (settings.form as JsonSchema) : null,
    assignees: names(settings.assignees),
    quorum: count(settings.quorum),
    rejectQuorum: count(settings.reject_quorum),
    onReject: settings.on_reject === 'fail' ? 'fail' : 'complete',
    remindAfterMs: durationMs(settings.remind_after),
    escalateAfterMs: durationMs(settings.escalate_after),
    escalateTo: names(settings.escalate_to),
  };
}

/** Returns an approval as callers see it. */
export function approvalOf(row: ApprovalRow): Approval {
  const { taskUuid, idx, step, namespace, name, version, since, until, paused, endedAt, endedBy } = row;
  const settings = settingsOf(JSON.parse(row.settings) as Record<string, unknown>);
  const progress = JSON.parse(row.progress) as ApprovalProgress;
  const votes = JSON.parse(row.votes) as Vote[];
  const counted = (decision: Vote['decision']) => votes.filter((vote) => vote.decision === decision).length;
  return {
    taskUuid,
    step,
    stepUuid: stepUuid(taskUuid, idx),
    namespace,
    name,
    version,
    title: settings.title,
    status: endedAt === null ? 'open' : (progress.decision ?? (endedBy === 'timeout' ? 'timed_out' : 'ended')),
    assignees: progress.assignees ?? settings.assignees,
    form: settings.form,
    quorum: settings.quorum,
    rejectQuorum: settings.rejectQuorum,
    approvals: counted('approve'),
    rejections: counted('reject'),
    votes,
    since,
    until,
    remindedAt: progress.reminded_at ?? null,
    escalatedAt: progress.escalated_at ?? null,
    paused,
    endedAt,
    endedBy,
  };
}

/** Conditions on the open approvals to list. An approval must meet all of them. */
export interface ApprovalFilter {
  /** A user or a role: approvals that it may vote on, including those for everyone. */
  assignee?: string | undefined;
  namespace?: string | undefined;
  /** The name of the template. */
  name?: string | undefined;
  /** All approvals of one task, including ended ones. */
  task?: string | undefined;
}

/** The page of approvals to return. */
export interface ApprovalPageOptions {
  /** 1 to 1000, default 50. */
  limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  cursor?: string | undefined;
}

/** A page of approvals, oldest first. */
export interface ApprovalPage {
  approvals: Approval[];
  nextCursor: string | null;
  /** Number of approvals that match, on all pages. At most 10,000: then `totalIsExact` is false. */
  total: number;
  totalIsExact: boolean;
}

const KEYS: readonly (keyof ApprovalFilter)[] = ['assignee', 'namespace', 'name', 'task'];

/** Returns a page of approvals. @throws TaskerError `bad_request`, `invalid_uuid` */
export async function findApprovals(
  database: Database,
  filter: ApprovalFilter,
  { limit = 50, cursor }: ApprovalPageOptions,
): Promise<ApprovalPage> {
  checkFilter(filter);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new TaskerError('bad_request', `limit must be a whole number from 1 to 1000, got ${limit}`);
  }
  const { assignee = null, task } = filter;
  const after = cursor === undefined ? null : readCursor(cursor);
  const templateIds = await templatesOf(database, filter);
  const taskUuid = task === undefined ? null : checkUuid(task, 'task');
  if (taskUuid !== null) {
    const approvals = (await approvalsOfTask(database, taskUuid)).map(approvalOf).filter((one) => fits(one, filter));
    return { approvals, nextCursor: null, total: approvals.length, totalIsExact: true };
  }
  if (templateIds?.length === 0) return { approvals: [], nextCursor: null, total: 0, totalIsExact: true };
  const rows = await listApprovals(database, { templateIds, assignee, after, limit: limit + 1 });
  const page = rows.slice(0, limit);
  const isAll = after === null && rows.length <= limit;
  const total = isAll ? rows.length : await countApprovals(database, { templateIds, assignee });
  return {
    approvals: page.map(approvalOf),
    nextCursor: rows.length > limit ? cursorOf(page.at(-1)!) : null,
    total,
    totalIsExact: total < MOST_APPROVALS,
  };
}

function fits({ assignees, namespace, name }: Approval, filter: ApprovalFilter): boolean {
  const { assignee } = filter;
  if (assignee !== undefined && assignees.length > 0 && !assignees.includes(assignee)) return false;
  return (filter.namespace ?? namespace) === namespace && (filter.name ?? name) === name;
}

function checkFilter(filter: ApprovalFilter): void {
  for (const key of Object.keys(filter)) {
    if ((KEYS as readonly string[]).includes(key)) continue;
    const near = nearNames(key, KEYS, 1)[0];
    throw new TaskerError(
      'bad_request',
      `approvals have no filter ${key}; ${near ? `did you mean ${near}?` : `the filters are ${KEYS.join(', ')}`}`,
    );
  }
  for (const key of ['assignee', 'namespace', 'name'] as const) {
    if (filter[key] !== undefined) checkText(filter[key], key, 256);
  }
}

const cursorOf = ({ since, taskUuid, idx }: ApprovalRow) =>
  Buffer.from(JSON.stringify([since, taskUuid, idx])).toString('base64url');

function readCursor(text: string): { since: string; taskUuid: string; idx: number } {
  try {
    const [since, taskUuid, idx] = JSON.parse(Buffer.from(text, 'base64url').toString()) as [string, string, number];
    if (Number.isInteger(idx) && !Number.isNaN(Date.parse(since)) && isUuid(taskUuid)) return { since, taskUuid, idx };
  } catch {
    // Rejected below.
  }
  throw new TaskerError('bad_request', 'the cursor is not from a page of approvals; pass nextCursor unchanged');
}
