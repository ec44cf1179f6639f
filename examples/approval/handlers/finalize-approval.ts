import { defineConvergence } from 'tasker-core';
import { z } from 'zod';

/** The result of a branch, or null if the branch was not chosen. */
const Approval = z.object({ approved_by: z.string() }).nullable();

export const finalizeApproval = defineConvergence(
  'approval.finalize',
  {
    depends: {
      request: ['validate_request', z.object({ amount: z.number() })],
      rule: ['auto_approve', Approval],
      manager: ['manager_approval', Approval],
      finance: ['finance_review', Approval],
    },
  },
  ({ request, rule, manager, finance }) => ({
    amount: request.amount,
    approved_by: [rule, manager, finance].filter((approval) => approval !== null).map(({ approved_by }) => approved_by),
  }),
);
