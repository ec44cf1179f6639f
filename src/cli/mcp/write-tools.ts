import { z } from 'zod';
import { path } from '../../client/path.ts';
import { requestedTemplate } from '../../template/template-name.ts';
import { type Ask, STEP, stepPath, TASK, type WriteTool, writeTool } from './tool.ts';

const reason = z.string().min(1).max(1000).describe('The reason, for the history and the audit.');
const hasStep = { task_uuid: TASK, step: STEP, reason };
const taskOf = ({ task_uuid }: { task_uuid: string }) =>
  ({ method: 'GET', path: path`/v1/tasks/${task_uuid}` }) as const;

/** Changes a step by hand. */
const actOnStep = async (ask: Ask, given: { task_uuid: string; step: string }, body: object) =>
  ({
    method: 'PATCH',
    path: path`/v1/tasks/${given.task_uuid}/workflow_steps/${await stepPath(ask, given)}`,
    body,
  }) as const;

/** The tools that change something. They exist only with `--allow-writes`. */
export const WRITE_TOOLS: readonly WriteTool[] = [
  writeTool({
    name: 'task_submit',
    description: 'Creates a task.',
    permission: 'tasks:create',
    destructive: false,
    input: {
      namespace: z.string(),
      name: z.string().describe('The name of the template.'),
      version: z.string().describe('Default: the active version.').optional(),
      context: z.record(z.string(), z.unknown()).describe('The input of the task.'),
      reason: z.string().min(1).max(128),
      tags: z.array(z.string()).optional(),
      priority: z.int().min(-100).max(100).optional(),
      idempotency_key: z.string().describe('A second task with the same key is rejected.').optional(),
    },
    says: (given) => `create a task of ${requestedTemplate(given)}`,
    target: ({ namespace, name, version }) =>
      version === undefined
        ? { method: 'GET', path: path`/v1/templates`, query: { namespace } }
        : { method: 'GET', path: path`/v1/templates/${namespace}/${name}/${version}` },
    change: (_ask, given, by) => ({
      method: 'POST',
      path: path`/v1/tasks`,
      body: { ...given, initiator: by, source_system: 'mcp' },
    }),
  }),
  writeTool({
    name: 'template_activate',
    description:
      'Makes a version of a template its active version, until the next activation. Tasks without a version are created from it. The version latest is the highest registered version. Running tasks keep their version.',
    permission: 'templates:activate',
    destructive: false,
    input: { namespace: z.string(), name: z.string(), version: z.string(), reason },
    says: ({ namespace, name, version }) => `make ${namespace}/${name}@${version} the active version`,
    target: ({ namespace }) => ({ method: 'GET', path: path`/v1/templates`, query: { namespace } }),
    change: (_ask, { namespace, name, version, reason }, by) => ({
      method: 'POST',
      path: path`/v1/templates/${namespace}/${name}/${version}/activate`,
      body: { reason, by },
    }),
  }),
  writeTool({
    name: 'task_cancel',
    description: 'Cancels a task: its running steps are stopped, and the others never run.',
    permission: 'tasks:cancel',
    destructive: true,
    input: { task_uuid: TASK },
    says: ({ task_uuid }) => `cancel task ${task_uuid}`,
    target: taskOf,
    change: (_ask, { task_uuid }) => ({ method: 'DELETE', path: path`/v1/tasks/${task_uuid}` }),
  }),
  writeTool({
    name: 'task_retry',
    description: 'Retries the failed steps of a task, and its steps that wait for a retry.',
    permission: 'tasks:update',
    destructive: false,
    input: { task_uuid: TASK, reason },
    says: ({ task_uuid }) => `retry the failed steps of task ${task_uuid}`,
    target: taskOf,
    change: (_ask, { task_uuid, reason }, by) => ({
      method: 'POST',
      path: path`/v1/tasks/${task_uuid}/retry`,
      body: { reason, by },
    }),
  }),
  writeTool({
    name: 'step_retry',
    description: 'Retries a failed step with its full number of attempts.',
    permission: 'steps:resolve',
    destructive: false,
    input: hasStep,
    says: ({ task_uuid, step }) => `retry step ${step} of task ${task_uuid}`,
    target: taskOf,
    change: (ask, given, by) =>
      actOnStep(ask, given, { action_type: 'reset_for_retry', reason: given.reason, reset_by: by }),
  }),
  writeTool({
    name: 'step_resolve',
    description: 'Marks a step as resolved without a result; the steps after it run.',
    permission: 'steps:resolve',
    destructive: true,
    input: hasStep,
    says: ({ task_uuid, step }) => `resolve step ${step} of task ${task_uuid} without running it`,
    target: taskOf,
    change: (ask, given, by) =>
      actOnStep(ask, given, { action_type: 'resolve_manually', reason: given.reason, resolved_by: by }),
  }),
  writeTool({
    name: 'step_complete',
    description: 'Completes a step with the given result instead of running it; the steps after it run.',
    permission: 'steps:resolve',
    destructive: true,
    input: { ...hasStep, result: z.unknown().describe('The result, as its handler would return it.') },
    says: ({ task_uuid, step }) => `complete step ${step} of task ${task_uuid} with the given result`,
    target: taskOf,
    change: (ask, given, by) =>
      actOnStep(ask, given, {
        action_type: 'complete_manually',
        reason: given.reason,
        completed_by: by,
        completion_data: { result: given.result ?? null },
      }),
  }),
  writeTool({
    name: 'dlq_update',
    description: 'Changes the status or the notes of a dead letter. Its task does not change.',
    permission: 'dlq:update',
    destructive: false,
    input: {
      task_uuid: TASK,
      dlq_entry_uuid: z.string(),
      resolution_status: z.enum(['pending', 'manually_resolved', 'permanently_failed', 'cancelled']).optional(),
      resolution_notes: z.string().max(10_000).optional(),
    },
    says: ({ dlq_entry_uuid, resolution_status }) =>
      `change dead letter ${dlq_entry_uuid}${resolution_status ? ` to ${resolution_status}` : ''}`,
    target: ({ task_uuid }) => ({ method: 'GET', path: path`/v1/dlq/task/${task_uuid}` }),
    change: (_ask, { task_uuid: _, dlq_entry_uuid, ...body }, by) => ({
      method: 'PATCH',
      path: path`/v1/dlq/entry/${dlq_entry_uuid}`,
      body: { ...body, resolved_by: by },
    }),
  }),
  writeTool({
    name: 'signal_send',
    description: 'Sends a signal to a task.',
    permission: 'signals:send',
    destructive: false,
    input: {
      task_uuid: TASK,
      name: z.string(),
      payload: z.unknown().optional(),
      idempotency_key: z.string().describe('A second signal with the same key has no effect.').optional(),
    },
    says: ({ task_uuid, name }) => `send signal ${name} to task ${task_uuid}`,
    target: taskOf,
    change: (_ask, { task_uuid, ...body }, by) => ({
      method: 'POST',
      path: path`/v1/tasks/${task_uuid}/signals`,
      body: { ...body, by },
    }),
  }),
  writeTool({
    name: 'approval_vote',
    description: 'Votes on an approval. Pass only a decision that the user has made.',
    permission: 'approvals:decide',
    destructive: true,
    input: {
      task_uuid: TASK,
      step: z.string().describe('The name of the step.'),
      decision: z.enum(['approve', 'reject']),
      comment: z.string().max(10_000).optional(),
      form: z.record(z.string(), z.unknown()).describe('The fields of the form.').optional(),
    },
    says: ({ task_uuid, step, decision }) => `${decision} ${step} of task ${task_uuid}`,
    target: ({ task_uuid, step }) => ({ method: 'GET', path: path`/v1/approvals/${task_uuid}/${step}` }),
    change: (_ask, { task_uuid, step, ...body }, by) => ({
      method: 'POST',
      path: path`/v1/approvals/${task_uuid}/${step}/vote`,
      body: { ...body, by },
    }),
  }),
];
