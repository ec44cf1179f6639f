import { z } from 'zod';
import { cursor, named } from './schemas/action-results.ts';
import { ApprovalSchema } from './schemas/approvals.ts';
import { NAMES } from './schemas/names.ts';
import { OPERATOR } from './schemas/operator.ts';
import { queryNumber } from './schemas/query.ts';
import { userJson } from './schemas/user-json.ts';
import { verb } from './verb.ts';

const Place = z.object({ task_uuid: z.string(), step: z.string() });

/** The verbs for approvals. */
export const approvals = {
  list: verb({
    method: 'get',
    path: '/v1/approvals',
    on: 'visible',
    permission: 'approvals:read',
    summary: 'Lists the open approvals, oldest first; with `task`, also the ended approvals of that task',
    takes: {
      query: z.object({
        assignee: named().optional(),
        namespace: named().optional(),
        name: named().optional(),
        task: named().optional(),
        limit: queryNumber(50, { max: 1000 }),
        cursor,
      }),
    },
    gives: z.object({
      approvals: z.array(ApprovalSchema),
      next_cursor: z.string().nullable(),
      total: z.int().meta({ description: 'Approvals that match, on all pages, at most 10,000.' }),
      total_is_exact: z.boolean(),
    }),
    errors: [404],
    mcp: { name: 'approval_list', description: 'Lists open approvals, oldest first.', without: ['name'] },
  }),
  get: verb({
    method: 'get',
    path: '/v1/approvals/{task_uuid}/{step}',
    on: 'task',
    permission: 'approvals:read',
    summary: 'Returns an approval with its votes',
    takes: { path: Place },
    gives: ApprovalSchema,
    errors: [404, 409],
  }),
  vote: verb({
    method: 'post',
    path: '/v1/approvals/{task_uuid}/{step}/vote',
    on: 'task',
    permission: 'approvals:decide',
    summary: 'Votes on an approval, as the subject of the credential',
    takes: {
      path: Place,
      body: z
        .strictObject({
          decision: z.enum(['approve', 'reject']),
          comment: named(10_000).nullish(),
          form: userJson('result').optional(),
          by: named(128).optional().meta({ description: 'The voter, on a server without authentication.' }),
          roles: z.array(named(128)).max(1000).optional().meta({ description: 'Only without authentication.' }),
        })
        .register(NAMES, { id: 'VoteRequest' }),
    },
    gives: ApprovalSchema,
    errors: [404, 409],
    mcp: {
      name: 'approval_vote',
      description: 'Votes on an approval. Pass only a decision that the user has made.',
      does: '{decision} {step} of task {task_uuid}',
      destructive: true,
      without: ['roles'],
      preview: '/v1/approvals/{task_uuid}/{step}',
    },
  }),
  reassign: verb({
    method: 'post',
    path: '/v1/approvals/{task_uuid}/{step}/reassign',
    on: 'task',
    permission: 'approvals:reassign',
    summary: 'Changes the assignees; votes of people who are no longer assignees are dropped',
    takes: {
      path: Place,
      body: z
        .strictObject({
          ...OPERATOR,
          to: z.array(named(128)).max(1000).default([]),
          everyone: z.boolean().default(false),
        })
        .register(NAMES, { id: 'ReassignRequest' }),
    },
    gives: ApprovalSchema,
    errors: [404, 409],
  }),
};
