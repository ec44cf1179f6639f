// The contract describes the responses of the API.
import type {
  Act,
  Approval,
  Statistics,
  TaskGraph,
  TemplateDiff,
  TemplateListResponse,
  WorkerDetails,
} from '../../../src/client/contract.ts';
import type { STEP_STATES, TASK_STATES } from '../../../src/model/states.ts';

export type * from '../../../src/client/contract.ts';
export type {
  DeadLetterRow as Letter,
  ServerDetailedHealth as Health,
  TaskExplanation as Explanation,
  TaskGraphNode as GraphNode,
  TaskHistory as History,
  TaskListResponse as TaskPage,
  TaskResponse as Task,
  TaskTimeline as Timeline,
} from '../../../src/client/contract.ts';

/**
 * The reason of an action, and the name for the audit. A server with authentication uses the name of the credential.
 */
export type Said = Required<Act>;

export type TaskState = (typeof TASK_STATES)[number];
export type StepState = (typeof STEP_STATES)[number];
export type GraphEdge = TaskGraph['edges'][number];
export type RunningStep = WorkerDetails['steps'][number];
export type SlowStep = Statistics['slow_steps'][number];
export type SlowTemplate = Statistics['templates'][number];
export type TemplateChange = TemplateDiff['changes'][number];
export type TemplateName = Pick<TemplateRow, 'namespace' | 'name' | 'version'>;
export type TemplateRow = TemplateListResponse['templates'][number];
export type Vote = Approval['votes'][number];
