import type { Db } from '../../db/statement.ts';
import type { Fields } from '../../model/json.ts';
import type { Wait, WaitEnd, WaitKind } from '../../model/waits.ts';
import type { EndedTaskRow } from '../../store/record-steps.ts';
import type { StepKey } from '../../store/step-key.ts';
import type { OpenWait } from '../../store/waits/read.ts';
import type { Expanding } from '../operator-actions.ts';

export type { OpenWait } from '../../store/waits/read.ts';

/** How a wait ends, and the outcome of its step. */
export interface WaitEnding {
  wait: Wait;
  by: WaitEnd;
  /** `retryable`: the step is retried by its policy. */
  kind: 'completed' | 'retryable' | 'permanent';
  /** The result of a completed step. Null if absent. */
  result?: unknown;
  /** The error of a failed attempt. */
  error?: { message: string; error_type: string };
}

/** A wait that has ended in this transaction, with its effects. */
export interface EndedWait extends StepKey {
  kind: WaitKind;
  endedBy: WaitEnd;
  /** ISO 8601. */
  endedAt: string;
  /** The state of the step now. */
  state: 'complete' | 'enqueued' | 'waiting_for_retry' | 'error' | 'pending' | 'skipped';
  /** The task, if it ended or became blocked with this wait. */
  task?: EndedTaskRow | undefined;
  /** Whether steps were queued. */
  queued: boolean;
  /** The priority of the task, negated. */
  rank: number;
  /** Whether running batch workers of the task were cancelled. */
  takenFrom: boolean;
}

/**
 * The outcome of a due wait: it ends, it continues until the engine must act again (ISO 8601), or the rule has handled
 * it completely.
 */
export type DueResult = WaitEnding | { again: string | null; progress?: Fields } | { handled: EndedWait };

/** The rule for due waits of one kind. The task is locked. */
export type DueRule = (tx: Db, wait: OpenWait, engine: Expanding) => DueResult | Promise<DueResult>;

/** Ends a wait that has just begun, if the awaited signal or result is already there. The task is locked. */
export type BegunRule = (tx: Db, wait: OpenWait, engine: Expanding) => Promise<WaitEnding | undefined>;
