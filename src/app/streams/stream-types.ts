// The types for streams of changed tasks, as the main entry point exports them.
export type { ResetReason, StreamChange, StreamStep, StreamTask } from '../../engine/streams/changes.ts';
export type { StreamFilter, StreamKind } from '../../engine/streams/stream-filter.ts';
export type { WatchTasksOptions } from './watch-tasks.ts';
