/** The public types of searches, pauses, dead letters, signals, approvals, timers, completion from outside, and schedules. */

export type { Activation } from '../engine/activate-template.ts';
export type { RedriveFilter } from '../engine/bulk/redrives.ts';
export type { ChildTask, RelatedTask, TaskFamily } from '../engine/child-tasks/family.ts';
export type { AddOptions as DeadLetterAddOptions, DeadLetterChange } from '../engine/dead-letters/change.ts';
export type {
  DeadLetter,
  DeadLetterDetails,
  DeadLetterNote,
  DeadLetterPage,
  DeadLetterPageOptions,
  DeadLetterSnapshot,
  DeadLetterStats,
  TaskStaleness,
} from '../engine/dead-letters/entries.ts';
export type { DeadLetterFilter } from '../engine/dead-letters/filter.ts';
export type { Redrive } from '../engine/dead-letters/redrive.ts';
export type { PauseResult, PauseTarget } from '../engine/pause.ts';
export type { AppliedSchedule } from '../engine/schedules/apply.ts';
export type { BackfilledDue, BackfillOptions, TriggerOptions } from '../engine/schedules/by-hand.ts';
export type { CreateScheduleOptions, ScheduleFilter, SchedulePageOptions } from '../engine/schedules/manage.ts';
export type { ScheduleChange, ScheduleOptions } from '../engine/schedules/options.ts';
export type { Schedule, ScheduleFiring } from '../engine/schedules/view.ts';
export type { SearchTime, TaskFilter } from '../engine/search/filter.ts';
export type {
  FoundStep,
  FoundTask,
  SearchPage,
  SearchSort,
  StepPage,
  StepPageOptions,
  TaskPage,
  TaskPageOptions,
} from '../engine/search/search.ts';
export type { Pause } from '../engine/task-view.ts';
export type {
  Approval,
  ApprovalDecision,
  ApprovalFilter,
  ApprovalPage,
  ApprovalPageOptions,
  ApprovalResult,
  Vote,
} from '../engine/waits/approval-view.ts';
export type { ReassignRequest, VoteRequest } from '../engine/waits/approvals.ts';
export type { SignalOptions, SignalTarget } from '../engine/waits/signal-request.ts';
export type { Signal, SignalListOptions, SignalPage, TaskSignal } from '../engine/waits/signal-view.ts';
export type { SentSignal, SignalReceipt } from '../engine/waits/signals.ts';
export type { TimerTime } from '../engine/waits/timers.ts';
export type { TokenError, TokenUse } from '../engine/waits/tokens.ts';
export type { TaskSchedule } from '../model/schedule/spec.ts';
export type { ScheduleSource } from './schedules/load-schedules.ts';
export type { TaskerSchedules } from './schedules/tasker-schedules.ts';
export type { TaskerApprovals } from './tasker-approvals.ts';
export type { TaskerDeadLetters } from './tasker-dead-letters.ts';
