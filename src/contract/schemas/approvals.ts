import { z } from 'zod';
import { time, timeOrNull } from './action-results.ts';
import { NAMES } from './names.ts';
import { userFields, userJson } from './user-json.ts';

export const VoteSchema = z.object({
  by: z.string(),
  decision: z.enum(['approve', 'reject']),
  at: time,
  comment: z.string().nullable(),
  form: userJson('result'),
  as: z.string().nullable(),
  changes: z.int(),
});

export const ApprovalSchema = z
  .object({
    task_uuid: z.uuid(),
    step: z.string(),
    step_uuid: z.uuid(),
    namespace: z.string(),
    name: z.string(),
    version: z.string(),
    title: z.string(),
    status: z.enum(['open', 'approved', 'rejected', 'timed_out', 'ended']),
    assignees: z.array(z.string()),
    form: userFields('public').nullable(),
    quorum: z.int(),
    reject_quorum: z.int(),
    approvals: z.int(),
    rejections: z.int(),
    votes: z.array(VoteSchema),
    since: time,
    until: timeOrNull,
    reminded_at: timeOrNull,
    escalated_at: timeOrNull,
    paused: z.boolean(),
    ended_at: timeOrNull,
    ended_by: z.string().nullable(),
  })
  .register(NAMES, { id: 'Approval' });
