/** The public types of signals, approvals, timers, completion from outside, and schedules. */

export type {
  AppliedSchedule,
  BackfilledDue,
  BackfillOptions,
  CreateScheduleOptions,
  Schedule,
  ScheduleChange,
  ScheduleFilter,
  ScheduleFiring,
  ScheduleOptions,
  SchedulePageOptions,
  ScheduleSource,
  TaskerSchedules,
  TaskSchedule,
  TriggerOptions,
} from './schedules/tasker-schedules.ts';
export type {
  Approval,
  ApprovalDecision,
  ApprovalFilter,
  ApprovalPage,
  ApprovalPageOptions,
  ApprovalResult,
  ReassignRequest,
  TaskerApprovals,
  Vote,
  VoteRequest,
} from './tasker-approvals.ts';
export type {
  SentSignal,
  Signal,
  SignalListOptions,
  SignalOptions,
  SignalPage,
  SignalReceipt,
  SignalTarget,
  TaskSignal,
} from './tasker-signals.ts';
export type { TimerTime, TokenError, TokenUse } from './tasker-waits.ts';
