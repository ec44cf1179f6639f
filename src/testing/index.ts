import '../config/require-node.ts';

export type { TestHandler } from './handler-of.ts';
export { type RunHandlerOptions, runHandler } from './run-handler.ts';
export { createTestContext, type TestContextOptions } from './test-context.ts';
export { type TestRun, TestTasker, type TestTaskerOptions, testTasker } from './test-tasker.ts';
