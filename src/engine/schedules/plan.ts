import { dueAfter, dueBefore, type Timing } from '../../model/schedule/due-times.ts';
import {
  type FiringCause,
  type FiringOutcome,
  jitterOf,
  type ScheduleSpec,
  timingOf,
} from '../../model/schedule/spec.ts';

/** A due time that is at most this late is on time: it fires normally, and is not treated as missed. */
const ON_TIME_MS = 10_000;
/** Maximum number of due times that one round fires, and of skipped due times that it lists individually. */
const AT_ONCE = 100;
/**
 * How often to check whether the task of a schedule has ended, if a due time is queued or the task could not be
 * cancelled.
 */
const QUEUED_LOOK_MS = 1_000;

/** The state of a schedule whose due times are to be handled. */
export interface ScheduleState {
  id: string;
  spec: ScheduleSpec;
  anchorMs: number;
  passedMs: number | null;
  nextMs: number | null;
  queuedMs: number | null;
  /** The time of the database. */
  nowMs: number;
  /** The open tasks that matter for the overlap. */
  open: readonly string[];
  /** The reason to pause it, such as a task that failed. Null means none. */
  pauseReason: string | null;
}

/** The outcome of a due time. `created`: a task is to be created. */
export interface PlannedFiring {
  dueMs: number;
  /** The last due time that this outcome covers. Null means only `dueMs`. */
  untilMs: number | null;
  previousMs: number | null;
  cause: FiringCause;
  outcome: Exclude<FiringOutcome, 'failed'>;
  reason: string | null;
}

/** The outcomes of the due times of a schedule, and its state afterwards. */
export interface Plan extends Pick<ScheduleState, 'passedMs' | 'nextMs' | 'queuedMs' | 'pauseReason'> {
  firings: PlannedFiring[];
  wakeMs: number | null;
}

/** Decides the outcomes of the due times that have come. Does not read a clock, so that tests can choose the time. */
export function planDue(state: ScheduleState): Plan {
  const plan: Plan = { ...stateOf(state), firings: [], wakeMs: null };
  if (state.pauseReason !== null) return plan;
  const timing = timingOf(state.spec, state.anchorMs);
  const open = [...state.open];
  startQueued(state, plan, { timing, open });
  leaveOut(plan, { timing, ...leftOut(state, timing) });
  let fired = 0;
  while (plan.nextMs !== null && isRipe(state, plan.nextMs) && fired < AT_ONCE) {
    if (state.spec.overlap === 'cancel_running' && open.length > 0) break;
    fire(state, plan, open);
    plan.nextMs = dueAfter(timing, plan.nextMs);
    fired++;
  }
  plan.wakeMs = wakeOf(state, plan);
  const isHeld = state.spec.overlap === 'cancel_running' && state.open.length > 0;
  if (isHeld && plan.wakeMs !== null) plan.wakeMs = Math.max(plan.wakeMs, state.nowMs + QUEUED_LOOK_MS);
  return plan;
}

function stateOf({ passedMs, nextMs, queuedMs, pauseReason }: ScheduleState) {
  return { passedMs, nextMs, queuedMs, pauseReason };
}

function isRipe({ id, spec, nowMs }: ScheduleState, dueMs: number): boolean {
  return dueMs <= nowMs && dueMs + jitterOf(id, dueMs, spec.jitterMs) <= nowMs;
}

/** Returns when the engine must act next. */
export function wakeOf(
  { id, spec, nowMs }: Pick<ScheduleState, 'id' | 'spec' | 'nowMs'>,
  { nextMs, queuedMs }: Pick<ScheduleState, 'nextMs' | 'queuedMs'>,
): number | null {
  const due = nextMs === null ? null : nextMs + jitterOf(id, nextMs, spec.jitterMs);
  if (queuedMs === null) return due;
  return Math.min(due ?? Number.POSITIVE_INFINITY, nowMs + QUEUED_LOOK_MS);
}

/** Starts the queued due time once no task is open. */
function startQueued(
  { queuedMs }: ScheduleState,
  plan: Plan,
  { timing, open }: { timing: Timing; open: string[] },
): void {
  if (queuedMs === null || open.length > 0) return;
  plan.queuedMs = null;
  const previousMs = dueBefore(timing, queuedMs, timing.startMs ?? timing.anchorMs);
  plan.firings.push({ dueMs: queuedMs, untilMs: null, previousMs, cause: 'queued', outcome: 'created', reason: null });
  open.push('the task of the queued due time');
}

/** Returns the time before which due times are skipped, and the reason. */
function leftOut({ spec, nowMs, nextMs }: ScheduleState, timing: Timing): { before: number; reason: string } {
  const { catchUp, windowMs, jitterMs } = spec;
  const late = nowMs - ON_TIME_MS - jitterMs;
  const window = windowMs === null ? Number.NEGATIVE_INFINITY : nowMs - windowMs - jitterMs;
  if (catchUp === 'all')
    return { before: Math.min(window, late), reason: 'it was missed for longer than catch_up_window' };
  if (catchUp === 'none' || nextMs === null || nextMs >= late) {
    return { before: late, reason: 'no worker fired it in time, and catch_up is none' };
  }
  const last = dueBefore(timing, nowMs - jitterMs + 1, nextMs);
  if (last === null || last >= late)
    return { before: late, reason: 'a later due time was missed too, and catch_up is last' };
  if (last < window) return { before: late, reason: 'it was missed for longer than catch_up_window' };
  return { before: last, reason: 'a later due time was missed too, and catch_up is last' };
}

/** Skips the due times before a time. The first are listed individually, the others together. */
export function leaveOut(
  plan: Pick<Plan, 'passedMs' | 'nextMs' | 'firings'>,
  { timing, before, reason }: { timing: Timing; before: number; reason: string },
): void {
  for (let count = 1; plan.nextMs !== null && plan.nextMs < before; count++) {
    const dueMs = plan.nextMs;
    const last = count === AT_ONCE ? dueBefore(timing, before, dueMs) : null;
    const untilMs = last === dueMs ? null : last;
    plan.firings.push({ dueMs, untilMs, previousMs: plan.passedMs, cause: 'due', outcome: 'missed', reason });
    plan.passedMs = untilMs ?? dueMs;
    plan.nextMs = dueAfter(timing, plan.passedMs);
  }
}

/** Decides the outcome of one due time that has come. */
function fire({ spec, nowMs, ...state }: ScheduleState, plan: Plan, open: string[]): void {
  const dueMs = plan.nextMs!;
  const isLate = nowMs - dueMs - jitterOf(state.id, dueMs, spec.jitterMs) > ON_TIME_MS;
  const cause = isLate ? 'catch_up' : 'due';
  const firing = { dueMs, untilMs: null, previousMs: plan.passedMs, cause } as const;
  plan.passedMs = dueMs;
  const busy = open.length > 0 && (spec.overlap === 'skip' || spec.overlap === 'queue_one');
  if (!busy) {
    plan.firings.push({ ...firing, outcome: 'created', reason: null });
    open.push('the task of an earlier due time');
    return;
  }
  if (spec.overlap === 'skip') {
    plan.firings.push({ ...firing, outcome: 'skipped', reason: `${open[0]} is still open (overlap: skip)` });
    return;
  }
  if (plan.queuedMs !== null) replaceQueued(plan, dueMs);
  plan.queuedMs = dueMs;
  plan.firings.push({ ...firing, outcome: 'queued', reason: `waits until ${open[0]} has ended (overlap: queue_one)` });
}

/** Only the latest due time is queued. */
function replaceQueued(plan: Plan, dueMs: number): void {
  const queued = plan.queuedMs!;
  const reason = `replaced by the due time ${new Date(dueMs).toISOString()} (overlap: queue_one)`;
  const planned = plan.firings.find((firing) => firing.dueMs === queued);
  if (planned) Object.assign(planned, { outcome: 'skipped', reason });
  else plan.firings.push({ dueMs: queued, untilMs: null, previousMs: null, cause: 'due', outcome: 'skipped', reason });
}
